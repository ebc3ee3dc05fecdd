// The conversation template of Janus ("<system>\n\n<user>: <content>\n\n<assistant>:") with the
// roles and words of a style. Whole texts are encoded at once, as the original scripts do.
#include "src/engine/thinking.h"

#include <fmt/format.h>

#include <algorithm>

#include "src/io/quote.h"
#include "src/settings/settings.h"
#include "src/tokenizer/prompt.h"
#include "src/tokenizer/unicode.h"

namespace bifrons {
namespace {

void check_utf8(std::string_view what, std::string_view text) {
  if (const std::optional<size_t> bad = invalid_utf8(text)) {
    throw Error(ErrorKind::kData, fmt::format("{} is not valid UTF-8 at byte {}", what, *bad));
  }
}

// A text, and the parts of it that came from outside of the style.
struct FilledText {
  std::string text;
  std::vector<ByteRange> guarded;

  void add(std::string_view words, bool is_guarded) {
    if (is_guarded) guarded.push_back({text.size(), text.size() + words.size()});
    text += words;
  }
};

// Placeholders in what is filled in stay as they are.
FilledText filled(std::string_view words, std::string_view prompt, std::string_view thought) {
  constexpr std::string_view kPrompt = "{prompt}", kThought = "{thought}";
  FilledText out;
  while (true) {
    const size_t at = std::min(words.find(kPrompt), words.find(kThought));
    out.add(words.substr(0, at), false);
    if (at == words.npos) return out;
    const bool is_prompt = words.substr(at).starts_with(kPrompt);
    out.add(is_prompt ? prompt : thought, true);
    words.remove_prefix(at + (is_prompt ? kPrompt : kThought).size());
  }
}

// Without white space at both ends, as Python's str.strip() does.
FilledText stripped(const FilledText& whole) {
  const std::string_view kept = python_strip(whole.text);
  const auto from = static_cast<size_t>(kept.data() - whole.text.data());
  FilledText out{std::string(kept), {}};
  for (const ByteRange& range : whole.guarded) {
    const size_t begin = std::clamp(range.begin, from, from + kept.size()) - from;
    const size_t end = std::clamp(range.end, from, from + kept.size()) - from;
    if (begin < end) out.guarded.push_back({begin, end});
  }
  return out;
}

// Ids of a conversation whose only turn says `content`, up to where the assistant speaks.
std::vector<int32_t> conversation_ids(const Thinking& thinking, std::string_view system,
                                      const FilledText& content, bool allow_special) {
  const ThoughtStyle& style = thinking.options.style;
  const Tokenizer& tokenizer = *thinking.tokenizer;
  const FilledText words = stripped(content);
  std::string text(python_strip(system));
  if (!text.empty()) text += "\n\n";
  text += style.user + ":";
  if (!words.text.empty()) text += ' ';
  std::vector<ByteRange> guarded = words.guarded;
  for (ByteRange& range : guarded) {
    range.begin += text.size();
    range.end += text.size();
  }
  text += words.text;
  if (!words.text.empty()) text += "\n\n";
  text += style.assistant + ":";
  if (allow_special) guarded.clear();
  const std::vector<int32_t> body = tokenizer.encode_guarded(text, guarded);
  std::vector<int32_t> ids = {tokenizer.special_ids().bos};
  ids.insert(ids.end(), body.begin(), body.end());
  return ids;
}

int32_t token_of(const Tokenizer& tokenizer, const ThoughtStyle& style, const std::string& token) {
  if (const auto id = tokenizer.id_of(token)) return *id;
  throw Error(ErrorKind::kData,
              fmt::format("the style {} needs the token {}, but it is none of this model's "
                          "tokenizer; take another style (--think=STYLE)",
                          quote(style.name, 60), quote(token, 60)));
}

void check_settings(const ThoughtStyle& style) {
  check_range(settings::kTemperature, style.temperature);
  check_range(settings::kTopK, style.top_k);
  if (style.max_tokens >= 1 && style.max_tokens <= kLongestThought) return;
  throw Error(ErrorKind::kUsage, fmt::format("a thought has at most 1 to {} tokens, not {}",
                                             kLongestThought, style.max_tokens));
}

std::shared_ptr<const Tokenizer> tokenizer_for(const Tokenizer& tokenizer, const Config& config,
                                               const ThoughtStyle& style) {
  const auto missing =
      std::count_if(style.added_tokens.begin(), style.added_tokens.end(),
                    [&](const std::string& token) { return !tokenizer.id_of(token).has_value(); });
  if (missing == 0) return {std::shared_ptr<const void>(), &tokenizer};  // borrowed
  if (tokenizer.size() + missing > config.transformer.vocabulary) {
    throw Error(ErrorKind::kData,
                fmt::format("the style {} adds {} tokens to the {} of this model's tokenizer, but "
                            "its vocabulary has only {}; take another style (--think=STYLE)",
                            quote(style.name, 60), missing, tokenizer.size(),
                            config.transformer.vocabulary));
  }
  return std::make_shared<const Tokenizer>(tokenizer.with_tokens(style.added_tokens));
}

// Most tokens of a prompt before which a picture still fits.
int64_t most_before_picture(const Config& config) {
  return config.transformer.max_positions - config.image_tokens() + 1;
}

}  // namespace

PlannedPictures planned_pictures(const ThinkOptions& options) {
  constexpr size_t kBytesOfAToken = 3;  // English text has more
  const ThoughtStyle& style = options.style;
  const size_t words = std::max(style.system.size() + style.ask.size(),
                                style.draw ? style.draw->size() : size_t{0}) +
                       (options.thought ? options.thought->size() : 0);
  PlannedPictures planned;
  planned.thinks = !options.thought;
  planned.prompt_tokens += static_cast<int64_t>(words / kBytesOfAToken);
  if (planned.thinks) planned.prompt_tokens += style.max_tokens;
  return planned;
}

const ThinkOptions& options_of(const Thinking& thinking) { return thinking.options; }

std::shared_ptr<const Thinking> prepare_thinking(const Tokenizer& tokenizer, const Config& config,
                                                 const ThinkOptions& options) {
  const ThoughtStyle& style = options.style;
  check_settings(style);
  if (options.thought) check_utf8("the thought", *options.thought);
  auto thinking =
      std::make_shared<Thinking>(Thinking{options, tokenizer_for(tokenizer, config, style), {}});
  for (const std::string& token : style.stop) {
    thinking->stop.push_back(token_of(*thinking->tokenizer, style, token));
  }
  for (const std::string& role : {style.user, style.assistant}) {
    if (role.starts_with("<|")) token_of(*thinking->tokenizer, style, role);
  }
  for (const int32_t id : options.tokens) {
    if (id >= 0 && id < config.transformer.vocabulary) continue;
    throw Error(ErrorKind::kData,
                fmt::format("the thought has the token {}, but this model's run from 0 to {}", id,
                            config.transformer.vocabulary - 1));
  }
  return thinking;
}

ThoughtPrompt thought_prompt(const Thinking& thinking, const Config& config,
                             const DrawRequest& request) {
  const ThoughtStyle& style = thinking.options.style;
  check_utf8("the prompt", request.prompt);
  ThoughtPrompt prompt;
  prompt.ids = conversation_ids(thinking, style.system, filled(style.ask, request.prompt, {}),
                                request.allow_special);
  const auto length = static_cast<int64_t>(prompt.ids.size());
  int64_t room = 0;
  if (style.draw) {
    // The picture's own prompt must hold the thought too.
    const auto bare =
        static_cast<int64_t>(conversation_ids(thinking, {}, filled(*style.draw, request.prompt, {}),
                                              request.allow_special)
                                 .size());
    room =
        std::min(config.transformer.max_positions - length, most_before_picture(config) - 1 - bare);
    prompt.most = std::min(style.max_tokens, room);
  } else {
    room = most_before_picture(config) - 1 - length;
    prompt.most = std::min(style.max_tokens - 1, room);  // the image's start is the last token
  }
  if (room < 1) {
    throw Error(ErrorKind::kUsage,
                fmt::format("the prompt of the thought has {} tokens, which leave no room for a "
                            "thought and a picture in the {} positions of this model",
                            length, config.transformer.max_positions));
  }
  return prompt;
}

Thought thought_of(const Thinking& thinking, std::vector<int32_t> tokens, ThoughtEnd end) {
  std::string text = thinking.tokenizer->decode(tokens, true);
  return {std::move(text), std::move(tokens), end};
}

Thought given_thought(const Thinking& thinking, bool allow_special) {
  const ThinkOptions& options = thinking.options;
  check(options.thought.has_value(), "given_thought: the options give one");
  if (!options.tokens.empty()) return {*options.thought, options.tokens, ThoughtEnd::kGiven};
  // As in a conversation, where a blank stands in front of what the assistant says.
  const std::string_view words = python_strip(*options.thought);
  const std::string text = words.empty() ? std::string() : " " + std::string(words);
  return {*options.thought,
          thinking.tokenizer->encode(
              text, allow_special ? SpecialTokens::kMatch : SpecialTokens::kAsText),
          ThoughtEnd::kGiven};
}

GuidedPrompt prompt_after(const Thinking& thinking, const Config& config,
                          const DrawRequest& request, const Thought& thought) {
  const ThoughtStyle& style = thinking.options.style;
  std::vector<int32_t> ids;
  if (style.draw) {
    check_utf8("the prompt", request.prompt);
    ids = conversation_ids(thinking, {}, filled(*style.draw, request.prompt, thought.text),
                           request.allow_special);
  } else {
    ids = thought_prompt(thinking, config, request).ids;
    ids.insert(ids.end(), thought.tokens.begin(), thought.tokens.end());
  }
  ids.push_back(thinking.tokenizer->special_ids().begin_of_image);
  return guided_prompt(*thinking.tokenizer, config, request, std::move(ids));
}

}  // namespace bifrons
