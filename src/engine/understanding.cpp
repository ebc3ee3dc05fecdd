// A conversation on the engine's transformer: one sequence of text and pictures, whose keys and
// values stay cached between turns.

#include <algorithm>
#include <chrono>
#include <cmath>

#include "src/engine/parts.h"
#include "src/engine/reply_text.h"
#include "src/engine/text_decoder.h"
#include "src/model/chat_words.h"
#include "src/settings/settings.h"
#include "src/tokenizer/chat_prompt.h"
#include "src/understand.h"
#include "src/weights/checkpoint.h"
#include "vision/networks/tower_input.h"

namespace bifrons {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

void check_options(const ReplyOptions& options) {
  check_range(settings::kTemperature, options.temperature);
  check_range(settings::kTopK, options.top_k);
  check_range(settings::kTopP, options.top_p);
  if (options.max_tokens >= 1) return;
  throw Error(ErrorKind::kUsage, "a reply has at least one token");
}

}  // namespace

struct Understanding::State {
  Engine::Parts parts;
  ChatWords words;
  std::unique_ptr<UnderstandingModel> understanding;
  std::unique_ptr<TextDecoder> decoder;
  std::vector<ChatTurn> turns;        // the last one is open: pictures shown but nothing said yet
  std::vector<SeenPicture> pictures;  // of all turns, in order
  int64_t pictures_seen = 0;          // number of pictures so far, for their serials

  Parts all_parts() { return {parts, *understanding, *decoder, pictures_seen}; }
  SeenPicture prepare(const Picture& picture) { return all_parts().prepare(picture); }
  ChatPrompt prompt(std::span<const ChatTurn> conversation, bool allow_special) const {
    return chat_prompt(parts.tokenizer, words.system, conversation,
                       understanding->tower().config().tokens(), allow_special);
  }
};

SeenPicture Understanding::Parts::prepare(const Picture& picture) const {
  check(picture.width > 0 && picture.height > 0, "a picture has pixels");
  const TowerConfig& tower = model.tower().config();
  return {++pictures_seen, patches_of(squared(picture, tower.image_size), tower)};
}

Understanding::Parts Understanding::parts() { return state_->all_parts(); }

Understanding::Understanding(std::unique_ptr<State> state) : state_(std::move(state)) {}
Understanding::Understanding(Understanding&&) noexcept = default;
Understanding& Understanding::operator=(Understanding&&) noexcept = default;
Understanding::~Understanding() = default;

Understanding Understanding::open(Engine& engine) {
  auto s = std::make_unique<State>(State{.parts = engine.parts()});
  s->words = read_chat_words(s->parts.directory);
  const Checkpoint checkpoint = Checkpoint::open(s->parts.directory);
  s->understanding =
      load_understanding(s->parts.backend, s->parts.config, checkpoint, s->parts.directory);
  s->decoder = std::make_unique<TextDecoder>(s->parts, *s->understanding);
  s->turns.emplace_back();
  return Understanding(std::move(s));
}

void Understanding::show(const Picture& picture) {
  state_->pictures.push_back(state_->prepare(picture));
  ++state_->turns.back().pictures;
}

void Understanding::reset() {
  state_->turns.assign(1, {});
  state_->pictures.clear();
}

void Understanding::set_system_prompt(std::string text) { state_->words.system = std::move(text); }

Reply Understanding::say(std::string_view words, const ReplyOptions& options,
                         const Listener& listener) {
  State& s = *state_;
  check_options(options);
  const auto start = Clock::now();
  std::vector<ChatTurn> turns = s.turns;
  turns.back().words = words;
  const ChatPrompt prompt = s.prompt(turns, options.allow_special);
  Reply reply;
  reply.prompt_tokens = static_cast<int64_t>(prompt.ids.size());
  reply.cached_tokens = s.decoder->prefill(prompt, s.pictures, options.max_tokens);

  std::vector<std::string> stop = options.stop;
  stop.emplace_back(stop_text(s.parts.tokenizer));
  ReplyText text(s.parts.tokenizer, stop);
  const int32_t eos = s.parts.tokenizer.special_ids().eos;
  const auto tell = [&](const std::string& piece) {
    return piece.empty() || !listener || listener(piece);
  };
  const int64_t most =
      std::min(options.max_tokens, s.decoder->positions() - reply.prompt_tokens + 1);
  for (reply.end = ReplyEnd::kLength; static_cast<int64_t>(reply.tokens.size()) < most;) {
    const int32_t token = s.decoder->sample(options, static_cast<int32_t>(reply.tokens.size()));
    if (reply.tokens.empty()) reply.first_seconds = seconds_since(start);
    if (token == eos) {
      reply.end = ReplyEnd::kDone;
      break;
    }
    reply.tokens.push_back(token);
    const bool wanted = tell(text.add(token));
    if (text.stopped() || !wanted) {
      reply.end = wanted ? ReplyEnd::kStop : ReplyEnd::kLeft;
      break;
    }
    if (static_cast<int64_t>(reply.tokens.size()) < most) s.decoder->append(token);
  }
  if (reply.end != ReplyEnd::kLeft) tell(text.finish());
  reply.text = text.text();
  reply.seconds = seconds_since(start);
  turns.back().reply = reply.text;
  turns.emplace_back();
  s.turns = std::move(turns);
  return reply;
}

Judgement Understanding::judge(const Picture& picture, std::string_view question) {
  State& s = *state_;
  const ChatTurn turn{.pictures = 1, .words = std::string(question)};
  const SeenPicture seen = s.prepare(picture);
  s.decoder->prefill(s.prompt({&turn, 1}, false), {&seen, 1}, 1);
  const std::vector<float> logits = s.decoder->logits();
  const double top = *std::max_element(logits.begin(), logits.end());
  double sum = 0;
  for (const float logit : logits) sum += std::exp(logit - top);
  if (!std::isfinite(sum)) refuse_damaged_reply();

  const auto first_tokens = [&](std::string_view word) {
    std::vector<int32_t> ids;
    for (const std::string& text : {std::string(word), " " + std::string(word)}) {
      const std::vector<int32_t> all = s.parts.tokenizer.encode(text, SpecialTokens::kAsText);
      if (std::find(ids.begin(), ids.end(), all.front()) == ids.end()) ids.push_back(all.front());
    }
    return ids;
  };
  const std::vector<int32_t> yes = first_tokens("Yes"), no = first_tokens("No");
  // A token with which both words begin, such as a single space, is ignored.
  const auto mass = [&](const std::vector<int32_t>& ids, const std::vector<int32_t>& others) {
    double p = 0;
    for (const int32_t id : ids) {
      if (std::find(others.begin(), others.end(), id) != others.end()) continue;
      p += std::exp(logits[id] - top) / sum;
    }
    return p;
  };
  return {mass(yes, no), mass(no, yes)};
}

std::optional<Error> Understanding::fault_of(std::string_view question) const {
  const ChatTurn turn{.pictures = 1, .words = std::string(question)};
  try {
    state_->decoder->check_length(state_->prompt({&turn, 1}, false));
    return std::nullopt;
  } catch (const Error& error) {
    return error;
  }
}

const std::string& Understanding::describe_question() const {
  return state_->words.describe_question;
}

std::string Understanding::match_question(std::string_view prompt) const {
  return question_about(state_->words.match_question, prompt);
}

const std::string& Understanding::match_template() const { return state_->words.match_question; }

}  // namespace bifrons
