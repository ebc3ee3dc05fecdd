// Tokens a tokenizer file adds to the model's vocabulary: found in text before anything else.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace bifrons {

struct AddedToken {
  int32_t id = 0;
  std::string content;      // not empty
  bool left_strip = false;  // takes the white space before it along
  bool right_strip = false;
  bool normalized = false;  // looked for in a second pass, between those of the first
  bool special = false;
};

// Bytes [begin, end) of a text.
struct ByteRange {
  size_t begin = 0;
  size_t end = 0;
};

class AddedTokens {
 public:
  AddedTokens() = default;
  explicit AddedTokens(std::vector<AddedToken> tokens);

  // Hands on the parts of valid UTF-8 `text` in order: the id of an added token, or the text
  // between two of them. Special tokens that touch `guarded` count as text there. Among matches
  // the leftmost wins, then the longest.
  using Part = std::function<void(std::optional<int32_t>, std::string_view)>;
  void split(std::string_view text, ByteRange guarded, const Part& part) const;

 private:
  // A set of strings that answers which longest member begins at a place.
  class Trie {
   public:
    void add(std::string_view content, int32_t token);
    // The index of the longest member `text` begins with at `at`, or -1.
    int32_t longest_at(std::string_view text, size_t at) const;

   private:
    std::vector<int32_t> members_{-1};                // by node: the member that ends there, or -1
    std::unordered_map<uint64_t, int32_t> children_;  // node << 8 | byte
    std::array<bool, 256> begins_{};                  // bytes some member begins with
  };

  void split_by(const Trie& trie, std::string_view text, ByteRange guarded, const Part& part) const;

  std::vector<AddedToken> tokens_;
  Trie verbatim_;
  Trie normalized_;
};

}  // namespace bifrons
