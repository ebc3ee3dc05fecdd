// --think: its options, and what follows from them.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "src/think.h"

namespace CLI {
class App;
}

namespace bifrons::cli {

struct ThinkFlags {
  std::string style;  // of --think; empty: not given; kOfModel: without a value
  std::string prompt_file;
  std::optional<double> temperature;
  std::optional<int64_t> top_k, max_tokens;
  std::optional<std::string> thought;  // - is stdin

  void add_to(CLI::App& command);
  // Whether the thought is written anew although a picture to be like has one.
  bool anew() const {
    return !style.empty() || temperature || top_k || max_tokens || !prompt_file.empty();
  }
  // Whether any of the options is given.
  bool given() const { return anew() || thought; }
  static constexpr std::string_view kOfModel = "true";  // as the parser says it of a flag

  // What to think with; nothing without --think, --thought and a `recorded` thought. Reads files
  // and stdin. `keeps`: a recorded thought may be used, for it is about the same prompt. Throws
  // Error: usage, data, missing.
  std::optional<ThinkOptions> options(const std::string& model,
                                      const std::optional<ThinkOptions>& recorded = {},
                                      bool keeps = true) const;
};

// JobOptions::think_with for an engine, which is borrowed, and the rest of these options.
std::function<std::shared_ptr<const Thinking>(const std::string& thought)> think_with(
    Engine& engine, ThinkOptions options);

}  // namespace bifrons::cli
