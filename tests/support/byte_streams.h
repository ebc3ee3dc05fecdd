// Prompt files in memory, and the prompts read from them.
#pragma once

#include <algorithm>
#include <string>
#include <vector>

#include "src/prompts/prompt_reader.h"

namespace bifrons::testing {

// A stream of `text` in pieces of at most `piece` bytes.
inline ByteStream stream_of(std::string text, size_t piece = 1u << 20) {
  return [text = std::move(text), piece, at = size_t{0}](std::span<char> room) mutable {
    const size_t n = std::min({room.size(), piece, text.size() - at});
    std::copy_n(text.begin() + static_cast<ptrdiff_t>(at), n, room.begin());
    at += n;
    return n;
  };
}

struct Everything {
  std::vector<PromptLine> lines;
  std::vector<BadLine> bad;
  std::vector<std::string> warnings;
};

inline Everything read_all(std::string text, PromptFormat format, size_t piece = 1u << 20) {
  Everything all;
  PromptReader reader(stream_of(std::move(text), piece), format,
                      [&all](const std::string& warning) { all.warnings.push_back(warning); });
  while (auto line = reader.next()) {
    if (auto* bad = std::get_if<BadLine>(&*line)) {
      all.bad.push_back(std::move(*bad));
    } else {
      all.lines.push_back(std::move(std::get<PromptLine>(*line)));
    }
  }
  return all;
}

}  // namespace bifrons::testing
