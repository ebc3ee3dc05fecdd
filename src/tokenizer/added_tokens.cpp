// Added tokens of a tokenizer file: matched in the text before anything else.
#include "src/tokenizer/added_tokens.h"

#include <algorithm>
#include <utility>

#include "src/tokenizer/unicode.h"

namespace bifrons {
namespace {

uint64_t child_key(int32_t node, char byte) {
  return static_cast<uint64_t>(node) << 8 | static_cast<uint8_t>(byte);
}

// Start of the white space at the end of `text`.
size_t space_before(std::string_view text) {
  size_t begin = text.size();
  while (begin > 0) {
    const size_t at = previous_character(text, begin);
    if (!is_white_space(codepoint_at(text, at))) break;
    begin = at;
  }
  return begin;
}

// End of the white space that begins at `from`.
size_t space_after(std::string_view text, size_t from) {
  while (from < text.size() && is_white_space(codepoint_at(text, from))) {
    from += utf8_length(text[from]);
  }
  return from;
}

}  // namespace

void AddedTokens::Trie::add(std::string_view content, int32_t token) {
  begins_[static_cast<uint8_t>(content[0])] = true;
  int32_t node = 0;
  for (const char byte : content) {
    const auto fresh = static_cast<int32_t>(members_.size());
    const auto [child, added] = children_.try_emplace(child_key(node, byte), fresh);
    if (added) members_.push_back(-1);
    node = child->second;
  }
  members_[node] = token;
}

int32_t AddedTokens::Trie::longest_at(std::string_view text, size_t at) const {
  if (!begins_[static_cast<uint8_t>(text[at])]) return -1;
  int32_t longest = -1;
  int32_t node = 0;
  for (; at < text.size(); ++at) {
    const auto child = children_.find(child_key(node, text[at]));
    if (child == children_.end()) break;
    node = child->second;
    if (members_[node] >= 0) longest = members_[node];
  }
  return longest;
}

AddedTokens::AddedTokens(std::vector<AddedToken> tokens) : tokens_(std::move(tokens)) {
  for (size_t i = 0; i < tokens_.size(); ++i) {
    Trie& trie = tokens_[i].normalized ? normalized_ : verbatim_;
    trie.add(tokens_[i].content, static_cast<int32_t>(i));
  }
}

void AddedTokens::split(std::string_view text, std::span<const ByteRange> guarded,
                        const Part& part) const {
  split_by(verbatim_, text, guarded, [&](std::optional<int32_t> id, std::string_view rest) {
    if (id) {
      part(id, rest);
      return;
    }
    const auto offset = static_cast<size_t>(rest.data() - text.data());
    std::vector<ByteRange> here;
    for (const ByteRange& range : guarded) {
      here.push_back(
          {range.begin - std::min(range.begin, offset), range.end - std::min(range.end, offset)});
    }
    split_by(normalized_, rest, here, part);
  });
}

void AddedTokens::split_by(const Trie& trie, std::string_view text,
                           std::span<const ByteRange> guarded, const Part& part) const {
  const auto touched = [guarded](size_t begin, size_t end) {
    return std::any_of(guarded.begin(), guarded.end(), [=](const ByteRange& range) {
      return begin < range.end && end > range.begin;
    });
  };
  size_t done = 0;
  for (size_t at = 0; at < text.size();) {
    const int32_t index = trie.longest_at(text, at);
    if (index < 0) {
      ++at;
      continue;
    }
    const AddedToken& token = tokens_[index];
    size_t begin = at;
    size_t end = at + token.content.size();
    at = end;  // even a token that counts as text hides tokens inside it, as in `tokenizers`
    if (token.special && touched(begin, end)) continue;
    if (token.left_strip) begin = std::max(done, space_before(text.substr(0, begin)));
    if (token.right_strip) end = space_after(text, end);
    if (done < begin) part(std::nullopt, text.substr(done, begin - done));
    part(token.id, text.substr(begin, end - begin));
    done = end;
  }
  if (done < text.size()) part(std::nullopt, text.substr(done));
}

}  // namespace bifrons
