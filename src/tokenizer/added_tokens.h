// Added tokens of a tokenizer file: matched in the text before anything else.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "src/tokenizer/tokenizer.h"

namespace bifrons {

struct AddedToken {
  int32_t id = 0;
  std::string content;      // not empty
  bool left_strip = false;  // includes the white space before it
  bool right_strip = false;
  bool normalized = false;  // matched in a second pass, in the text between matches of the first
  bool special = false;
};

class AddedTokens {
 public:
  AddedTokens() = default;
  explicit AddedTokens(std::vector<AddedToken> tokens);

  // Splits valid UTF-8 `text` and calls `part` for each part in order: the id of an added token, or
  // the text between two of them. Special tokens that touch a range of `guarded` count as text. The
  // leftmost match wins, then the longest.
  using Part = std::function<void(std::optional<int32_t>, std::string_view)>;
  void split(std::string_view text, std::span<const ByteRange> guarded, const Part& part) const;

 private:
  // A set of strings with longest-prefix match.
  class Trie {
   public:
    void add(std::string_view content, int32_t token);
    // Index of the longest member that matches `text` at `at`; -1 if none matches.
    int32_t longest_at(std::string_view text, size_t at) const;

   private:
    std::vector<int32_t> members_{-1};                // per node: the member that ends there, or -1
    std::unordered_map<uint64_t, int32_t> children_;  // node << 8 | byte
    std::array<bool, 256> begins_{};                  // first bytes of all members
  };

  void split_by(const Trie& trie, std::string_view text, std::span<const ByteRange> guarded,
                const Part& part) const;

  std::vector<AddedToken> tokens_;
  Trie verbatim_;
  Trie normalized_;
};

}  // namespace bifrons
