// Reflection: each round is a prompt of spans, [prompt] picture, question, reason, next picture.
#include "src/reflect.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "kernels/sampling.h"
#include "src/engine/requests.h"
#include "src/engine/spans.h"
#include "src/engine/text_decoder.h"
#include "src/io/json.h"
#include "src/settings/settings.h"
#include "src/variation.h"
#include "src/weights/checkpoint.h"

namespace bifrons {
namespace {

// The words between the spans are facts of the checkpoint's format (inference.py of Janus-Pro-R1).
constexpr std::string_view kQuestion =
    "<end_of_image>\nLet me think Does this image match the prompt...";
constexpr std::string_view kAgain =
    "<｜end▁of▁sentence｜>\nNext, I will draw a new image<begin_of_image>";

// The noise of round `round`: words 0 for its verdict and reason, 1 for the picture after it.
uint64_t seed_of(uint64_t seed, int64_t round, uint32_t use) {
  const auto words = philox({static_cast<uint32_t>(round), use, kReflectionStream, 0},
                            {static_cast<uint32_t>(seed), static_cast<uint32_t>(seed >> 32)});
  return uint64_t{words[1]} << 32 | words[0];
}

class Reflecting {
 public:
  Reflecting(Engine& engine, Understanding& understanding, const DrawRequest& request,
             const ReflectOptions& options)
      : engine_(engine),
        engine_parts_(engine.parts()),
        seeing_(understanding.parts()),
        request_(request),
        options_(options),
        prompt_(guided_prompt(engine_parts_.tokenizer, engine_parts_.config, request)),
        question_(engine_parts_.tokenizer.encode(kQuestion, SpecialTokens::kMatch)),
        again_(engine_parts_.tokenizer.encode(kAgain, SpecialTokens::kMatch)) {
    check(request.spans == nullptr, "reflection: of a prompt in words");
    check_options();
    const Tokenizer& tokenizer = engine_parts_.tokenizer;
    yes_ = tokenizer.encode("Yes", SpecialTokens::kAsText).back();
    no_ = tokenizer.encode("No", SpecialTokens::kAsText).back();
    if (yes_ == no_) {
      throw Error(ErrorKind::kData, "this model's tokenizer cannot tell Yes from No");
    }
    check_length();
  }

  Reflection run(const Progress& progress) {
    const int64_t tokens = engine_parts_.config.image_tokens();
    const int64_t total = tokens * (options_.rounds + 1);
    Reflection rounds;
    DrawRequest next = request_;
    for (int64_t round = 0;; ++round) {
      const Progress part = [&](int64_t done, int64_t) {
        return !progress || progress(round * tokens + done, total);
      };
      std::vector<Drawing> drawn = engine_.draw({&next, 1}, part);
      rounds.push_back({.drawing = std::move(drawn.front()), .seed = next.seed});
      if (round == options_.rounds) return rounds;
      judge(rounds.back(), seed_of(request_.seed, round, 0));
      if (rounds.back().matches) return rounds;
      next.spans = redrawing(rounds.back());
      next.seed = seed_of(request_.seed, round, 1);
    }
  }

 private:
  void check_options() const {
    check_range(settings::kTemperature, options_.temperature);
    check_range(settings::kTopK, options_.top_k);
    if (options_.rounds < 1 || options_.rounds > kMostReflections || options_.max_tokens < 1) {
      throw Error(ErrorKind::kUsage, fmt::format("reflection has 1 to {} rounds, and a reason at "
                                                 "least one token",
                                                 kMostReflections));
    }
  }

  void check_length() const {
    const TransformerConfig& transformer = engine_parts_.config.transformer;
    const int64_t tokens = engine_parts_.config.image_tokens();
    const auto count = [](const auto& ids) { return static_cast<int64_t>(ids.size()); };
    const int64_t picture = std::max(tokens, seeing_.model.tower().config().tokens());
    const int64_t most = transformer.max_positions - tokens + 1 - picture - count(question_) -
                         options_.max_tokens - count(again_);
    if (count(prompt_.prompted) <= most) return;
    throw Error(
        ErrorKind::kUsage,
        fmt::format("the prompt has {} tokens, but with a picture and a reason of {} tokens "
                    "behind it this model takes at most {}",
                    count(prompt_.prompted), options_.max_tokens, std::max<int64_t>(most, 0)));
  }

  // The verdict is one of two tokens; the reason goes on to the end of the sentence.
  void judge(ReflectedRound& round, uint64_t seed) {
    ChatPrompt prompt{prompt_.prompted, {static_cast<int64_t>(prompt_.prompted.size())}};
    // The embeddings of these ids are not looked up.
    prompt.ids.insert(prompt.ids.end(), seeing_.model.tower().config().tokens(),
                      engine_parts_.tokenizer.special_ids().pad);
    prompt.ids.insert(prompt.ids.end(), question_.begin(), question_.end());
    const SeenPicture seen = seeing_.prepare(round.drawing.picture);
    TextDecoder& decoder = seeing_.decoder;
    decoder.prefill(prompt, {&seen, 1}, options_.max_tokens);
    const ReplyOptions reply{
        .temperature = options_.temperature, .top_k = options_.top_k, .seed = seed};
    int32_t token = verdict(round, seed);
    const int32_t eos = engine_parts_.tokenizer.special_ids().eos;
    while (token != eos) {
      round.reason_tokens.push_back(token);
      const auto count = static_cast<int64_t>(round.reason_tokens.size());
      if (count == options_.max_tokens) break;
      decoder.append(token);
      token = decoder.sample(reply, static_cast<int32_t>(count));
    }
    round.reason = engine_parts_.tokenizer.decode(round.reason_tokens, true);
  }

  // The sampler's rule with all tokens but two left out.
  int32_t verdict(ReflectedRound& round, uint64_t seed) {
    const std::vector<float> logits = seeing_.decoder.logits();
    const float yes = logits[yes_], no = logits[no_];
    if (!std::isfinite(yes) || !std::isfinite(no)) refuse_damaged_reply();
    round.judged = true;
    round.yes = 1 / (1 + std::exp(static_cast<double>(no) - static_cast<double>(yes)));
    const auto score = [&](int32_t token) {
      const float noise = gumbel_block(seed, 0, static_cast<uint32_t>(token / 4))[token % 4];
      return logits[token] / static_cast<float>(options_.temperature) + noise;
    };
    float for_yes = yes, for_no = no;
    if (options_.temperature > 0 && !beyond_noise(score(yes_)) && !beyond_noise(score(no_))) {
      for_yes = score(yes_);
      for_no = score(no_);
    }
    round.matches = for_yes > for_no || (for_yes == for_no && yes_ < no_);
    return round.matches ? yes_ : no_;
  }

  // Both rows see the picture's codes, the question and the reason; they differ in the prompt.
  std::shared_ptr<const SpannedPrompt> redrawing(const ReflectedRound& round) {
    const Picture& picture = round.drawing.picture;
    const auto codes =
        embed_codes(engine_parts_, engine_.encode(fitted(picture, engine_.model().image_size)));
    auto spans = std::make_shared<SpannedPrompt>();
    spans->shares = {1};
    for (const auto* ids : {&prompt_.prompted, &prompt_.unprompted}) {
      spans->rows.push_back(
          {{*ids, {}}, {{}, codes}, {question_, {}}, {round.reason_tokens, {}}, {again_, {}}});
    }
    return spans;
  }

  Engine& engine_;
  Engine::Parts engine_parts_;
  Understanding::Parts seeing_;
  const DrawRequest& request_;
  const ReflectOptions options_;
  GuidedPrompt prompt_;
  std::vector<int32_t> question_, again_;
  int32_t yes_ = 0, no_ = 0;
};

}  // namespace

void check_reflection(Engine& engine, Understanding& understanding, const DrawRequest& request,
                      const ReflectOptions& options) {
  const Reflecting checked(engine, understanding, request, options);
  // Says that there is no encoder before anything is drawn.
  const Engine::Parts parts = engine.parts();
  check_encoder(parts.config, Checkpoint::open(parts.directory), parts.directory);
}

Reflection draw_reflected(Engine& engine, Understanding& understanding, const DrawRequest& request,
                          const ReflectOptions& options, const Progress& progress) {
  return Reflecting(engine, understanding, request, options).run(progress);
}

std::string reflection_json(const Reflection& reflection) {
  std::string rounds;
  for (const ReflectedRound& round : reflection) {
    rounds += fmt::format(R"({}{{"seed":{})", rounds.empty() ? "" : ",", round.seed);
    if (round.judged) {
      rounds += fmt::format(R"(,"match":{},"yes":{},"reason":{})", round.matches, round.yes,
                            json_text(round.reason));
    }
    rounds += "}";
  }
  return "[" + rounds + "]";
}

}  // namespace bifrons
