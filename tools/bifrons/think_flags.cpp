// What the flags do not say comes from the style.
#include "tools/bifrons/think_flags.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>

#include "kernels/utf8.h"
#include "src/io/quote.h"
#include "src/settings/settings.h"
#include "tools/bifrons/options.h"
#include "tools/bifrons/session.h"
#include "tools/bifrons/streams.h"

namespace bifrons::cli {
namespace {

constexpr size_t kLongestStyle = size_t{1} << 20;
constexpr std::string_view kPlaceholder = "{prompt}";

ThoughtStyle style_named(const std::string& text) {
  const bool file = text.ends_with(".json") || text.find('/') != std::string::npos;
  if (!file) return thought_style(text);
  return parse_thought_style(read_file(text, kLongestStyle), quote(text));
}

// A checkpoint's own words for `ask`. Their scripts write {} for the prompt.
std::string ask_of_file(const std::string& path) {
  std::string text = read_file(path, kLongestStyle);
  if (const auto at = invalid_utf8(text)) {
    throw Error(ErrorKind::kData,
                fmt::format("{} is not valid UTF-8 at byte {}", quote(path), *at));
  }
  if (text.find(kPlaceholder) != std::string::npos) return text;
  const size_t at = text.find("{}");
  if (at == std::string::npos) {
    throw Error(
        ErrorKind::kData,
        fmt::format("{}: does not hold {{prompt}} (or {{}}), where the prompt goes", quote(path)));
  }
  return text.replace(at, 2, kPlaceholder);
}

std::string thought_on_stdin() {
  std::string thought = text_on_stdin(kLongestPrompt);
  if (thought.ends_with('\n')) thought.pop_back();
  if (thought.ends_with('\r')) thought.pop_back();
  return thought;
}

}  // namespace

void ThinkFlags::add_to(CLI::App& command) {
  // A flag, so that a prompt after it is not its value.
  command.add_flag(
      "--think", style,
      "Let the model write a thought before it draws; --think=STYLE takes t2i-r1, reasongen-r1, "
      "got-r1, janus-pro-r1 or FILE.json (default: what the model is)");
  add_text(command, "--think-prompt", "FILE", prompt_file,
           "What the model is asked to think with, for the style's own words; {prompt} in it is "
           "the prompt");
  add_value(
      command, "--think-temp", "NUMBER",
      [this](const std::string& text) {
        temperature = parse_setting(settings::kTemperature, "--think-temp", text);
      },
      "Temperature of the thought; 0 takes the likeliest words (default: the style's)");
  add_value(
      command, "--think-top-k", "NUMBER",
      [this](const std::string& text) {
        top_k = parse_setting(settings::kTopK, "--think-top-k", text);
      },
      "Write the thought among the K likeliest tokens; 0 is off (default: the style's)");
  add_whole(command, "--think-max-tokens", "N", 1, kLongestThought, max_tokens,
            "Longest thought, in tokens (default: the style's)");
  add_value(
      command, "--thought", "TEXT", [this](const std::string& text) { thought = text; },
      "The thought, instead of one that the model writes; - reads it from stdin");
}

std::optional<ThinkOptions> ThinkFlags::options(const std::string& model,
                                                const std::optional<ThinkOptions>& recorded,
                                                bool keeps) const {
  if (style.empty() && !thought && !recorded) {
    if (!anew()) return std::nullopt;
    throw Error(ErrorKind::kUsage,
                "--think-prompt, --think-temp, --think-top-k and --think-max-tokens go with "
                "--think");
  }
  ThinkOptions options;
  if (!style.empty() && style != kOfModel) {
    options.style = style_named(style);
  } else {
    options.style = recorded ? recorded->style : style_of_model(model);
  }
  if (!prompt_file.empty()) options.style.ask = ask_of_file(prompt_file);
  if (temperature) options.style.temperature = *temperature;
  if (top_k) options.style.top_k = *top_k;
  if (max_tokens) options.style.max_tokens = *max_tokens;
  if (thought) {
    options.thought = *thought == "-" ? thought_on_stdin() : *thought;
    check_text("the thought", *options.thought);
  } else if (recorded && keeps && !anew()) {
    options.thought = recorded->thought;
    options.tokens = recorded->tokens;
  }
  return options;
}

std::function<std::shared_ptr<const Thinking>(const std::string& thought)> think_with(
    Engine& engine, ThinkOptions options) {
  return [&engine, options = std::move(options)](const std::string& thought) {
    ThinkOptions given = options;
    given.thought = thought;
    return engine.thinking(given);
  };
}

}  // namespace bifrons::cli
