// Reads tokenizer.json and refuses every layout but the one of DeepSeek-LLM.
#include "src/tokenizer/tokenizer_json.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>
#include <unordered_set>
#include <utility>

#include "kernels/error.h"
#include "src/io/json.h"
#include "src/io/quote.h"
#include "src/tokenizer/byte_alphabet.h"
#include "src/tokenizer/unicode.h"

namespace bifrons {
namespace {

constexpr int64_t kMostIds = 1 << 20;
constexpr size_t kMostAdded = 2000;
constexpr size_t kLongestToken = 512;  // bytes

class LayoutReader {
 public:
  explicit LayoutReader(const std::string& name) : name_(name) {}

  TokenizerLayout layout(const Json& root) const {
    for (const char* unused : {"truncation", "padding"}) {
      if (!is_absent(root, unused))
        fail(unused, "must be null: a prompt is neither cut nor padded");
    }
    check_normalizer(root);
    check_decoder(root);
    TokenizerLayout layout;
    layout.digits = read_splits(root);
    const Json& model = member(root, "model", "");
    check_model(model);
    read_vocabulary(member(model, "vocab", "model."), layout);
    read_merges(model, layout);
    read_added(root, layout);
    check_post_processor(root);
    return layout;
  }

  bool adds_bos(const Json& root) const {
    root.members(where("the document"));  // throws if it is not an object
    if (flag(root, "add_eos_token", false, "")) {
      fail("add_eos_token", "must be false: a prompt does not end a sentence");
    }
    return flag(root, "add_bos_token", true, "");
  }

 private:
  [[noreturn]] void fail(std::string_view field, std::string_view reason) const {
    throw Error(ErrorKind::kData, fmt::format("{}: {}", where(field), reason));
  }

  std::string where(std::string_view field) const { return fmt::format("{}: {}", name_, field); }

  static bool is_absent(const Json& object, std::string_view key) {
    const Json* found = object.find(key);
    return found == nullptr || found->is_null();
  }

  const Json& member(const Json& object, std::string_view key, const std::string& path) const {
    const Json* found = object.find(key);
    if (found == nullptr) fail(path + std::string(key), "is missing");
    return *found;
  }

  const std::string& text_of(const Json& object, std::string_view key,
                             const std::string& path) const {
    return member(object, key, path).text(where(path + std::string(key)));
  }

  bool flag(const Json& object, std::string_view key, bool otherwise,
            const std::string& path) const {
    if (is_absent(object, key)) return otherwise;
    return object.find(key)->boolean(where(path + std::string(key)));
  }

  std::span<const Json> items_of(const Json& object, std::string_view key,
                                 const std::string& path) const {
    return member(object, key, path).items(where(path + std::string(key)));
  }

  void check_normalizer(const Json& root) const {
    if (is_absent(root, "normalizer")) return;
    const Json& normalizer = member(root, "normalizer", "");
    if (text_of(normalizer, "type", "normalizer.") != "Sequence" ||
        !items_of(normalizer, "normalizers", "normalizer.").empty()) {
      fail("normalizer", "must be null or an empty Sequence: text is taken as it is");
    }
  }

  void check_decoder(const Json& root) const {
    if (is_absent(root, "decoder")) return;
    if (text_of(member(root, "decoder", ""), "type", "decoder.") != "ByteLevel") {
      fail("decoder", "must be ByteLevel");
    }
  }

  DigitSplit read_splits(const Json& root) const {
    const Json& sequence = member(root, "pre_tokenizer", "");
    if (text_of(sequence, "type", "pre_tokenizer.") != "Sequence") {
      fail("pre_tokenizer.type", "must be Sequence");
    }
    const std::span<const Json> steps = items_of(sequence, "pretokenizers", "pre_tokenizer.");
    if (steps.size() != kPatternSplits + 2) {
      fail("pre_tokenizer.pretokenizers", "must be the seven steps of DeepSeek-LLM");
    }
    for (size_t i = 0; i < kPatternSplits; ++i) {
      const std::string path = step_path(i);
      const std::vector<std::string> known = split_patterns(i);
      if (std::find(known.begin(), known.end(), pattern_of(steps[i], path)) == known.end()) {
        fail(path + "pattern", "is not the one DeepSeek-LLM splits with at this place");
      }
    }
    const std::string last = step_path(kPatternSplits + 1);
    const Json& bytes = steps[kPatternSplits + 1];
    if (text_of(bytes, "type", last) != "ByteLevel" ||
        flag(bytes, "add_prefix_space", true, last) || flag(bytes, "use_regex", true, last)) {
      fail(last + "type", "must be ByteLevel with add_prefix_space and use_regex false");
    }
    return digit_split(steps[kPatternSplits]);
  }

  static std::string step_path(size_t index) {
    return fmt::format("pre_tokenizer.pretokenizers[{}].", index);
  }

  std::string pattern_of(const Json& step, const std::string& path) const {
    if (text_of(step, "type", path) != "Split" || text_of(step, "behavior", path) != "Isolated" ||
        flag(step, "invert", false, path)) {
      fail(path + "type", "must be a Split with behavior Isolated and invert false");
    }
    return text_of(member(step, "pattern", path), "Regex", path + "pattern.");
  }

  DigitSplit digit_split(const Json& step) const {
    const std::string path = step_path(kPatternSplits);
    if (text_of(step, "type", path) == "Digits") {
      return flag(step, "individual_digits", false, path) ? DigitSplit::kEachNumeric
                                                          : DigitSplit::kNumericRuns;
    }
    const std::string pattern = pattern_of(step, path);
    if (pattern == "\\p{N}") return DigitSplit::kEachPropertyN;
    if (pattern == "\\p{N}+") return DigitSplit::kPropertyNRuns;
    fail(path + "pattern", "must be \\p{N} or \\p{N}+");
  }

  void check_model(const Json& model) const {
    if (text_of(model, "type", "model.") != "BPE") fail("model.type", "must be BPE");
    for (const char* key : {"dropout", "unk_token"}) {
      if (!is_absent(model, key)) fail(std::string("model.") + key, "must be null");
    }
    for (const char* key : {"continuing_subword_prefix", "end_of_word_suffix"}) {
      if (!is_absent(model, key) && !text_of(model, key, "model.").empty()) {
        fail(std::string("model.") + key, "must be null or empty");
      }
    }
    for (const char* key : {"byte_fallback", "ignore_merges"}) {
      if (flag(model, key, false, "model.")) fail(std::string("model.") + key, "must be false");
    }
  }

  void read_vocabulary(const Json& vocabulary, TokenizerLayout& layout) const {
    const std::string path = where("model.vocab");
    const std::span<const Json::Member> members = vocabulary.members(path);
    const auto count = static_cast<int64_t>(members.size());
    if (count == 0 || count > kMostIds) {
      fail("model.vocab", fmt::format("must hold 1 to {} tokens, not {}", kMostIds, count));
    }
    layout.texts.resize(members.size());
    layout.ids.reserve(members.size() + kMostAdded);
    for (const auto& [text, value] : members) {
      if (text.empty() || text.size() > kLongestToken) {
        fail("model.vocab",
             fmt::format("{} is not 1 to {} bytes long", quote(text), kLongestToken));
      }
      const int64_t id = value.unsigned_integer(path);
      if (id >= count) {
        fail("model.vocab",
             fmt::format("{} has id {}, but ids end with {}", quote(text), id, count - 1));
      }
      std::string& place = layout.texts[id];
      if (!place.empty()) {
        fail("model.vocab", fmt::format("gives id {} to {} and {}", id, quote(place), quote(text)));
      }
      place = text;
      layout.ids.try_emplace(text, static_cast<int32_t>(id));
    }
  }

  AddedToken read_added_token(const Json& entry, const std::string& path) const {
    AddedToken token;
    token.content = text_of(entry, "content", path);
    if (token.content.empty() || token.content.size() > kLongestToken) {
      fail(path + "content", fmt::format("must be 1 to {} bytes long", kLongestToken));
    }
    const int64_t id = member(entry, "id", path).unsigned_integer(where(path + "id"));
    if (id >= kMostIds) fail(path + "id", fmt::format("must be below {}", kMostIds));
    token.id = static_cast<int32_t>(id);
    token.left_strip = flag(entry, "lstrip", false, path);
    token.right_strip = flag(entry, "rstrip", false, path);
    token.special = flag(entry, "special", false, path);
    token.normalized = flag(entry, "normalized", true, path);
    if (flag(entry, "single_word", false, path)) {
      fail(path + "single_word", "must be false: tokens that match whole words only are not known");
    }
    return token;
  }

  void read_added(const Json& root, TokenizerLayout& layout) const {
    if (is_absent(root, "added_tokens")) return;
    const std::span<const Json> list = items_of(root, "added_tokens", "");
    if (list.size() > kMostAdded) {
      fail("added_tokens", fmt::format("must hold at most {}, not {}", kMostAdded, list.size()));
    }
    std::unordered_set<std::string> seen;
    for (size_t i = 0; i < list.size(); ++i) {
      const std::string path = fmt::format("added_tokens[{}].", i);
      AddedToken token = read_added_token(list[i], path);
      if (!seen.insert(token.content).second) {
        fail(path + "content", fmt::format("{} is added twice", quote(token.content)));
      }
      // `tokenizers` assigns ids in the order of the file. An entry with another id would disagree
      // with it, so it is refused.
      const auto next = static_cast<int32_t>(layout.texts.size());
      const auto [place, fresh] = layout.ids.try_emplace(token.content, next);
      if (token.id != place->second) {
        fail(path + "id", fmt::format("is {} where only {} fits", token.id, place->second));
      }
      if (fresh) layout.texts.push_back(token.content);
      layout.added.push_back(std::move(token));
    }
    if (layout.texts.size() > static_cast<size_t>(kMostIds)) {
      fail("added_tokens", fmt::format("bring the ids over {}", kMostIds));
    }
  }

  BytePairs::ByteIds read_byte_ids(const TokenizerLayout& layout) const {
    BytePairs::ByteIds byte_ids;
    for (int byte = 0; byte < 256; ++byte) {
      std::string letter;
      append_utf8(letter, letter_of_byte(static_cast<uint8_t>(byte)));
      const auto found = layout.ids.find(letter);
      byte_ids[byte] = found == layout.ids.end() ? -1 : found->second;
      const bool occurs = byte < 0xC0 || (byte > 0xC1 && byte < 0xF5);  // in valid UTF-8
      if (byte_ids[byte] < 0 && occurs) {
        fail("model.vocab", fmt::format("has no token for byte 0x{:02X}", byte));
      }
    }
    return byte_ids;
  }

  std::pair<std::string_view, std::string_view> merge_parts(const Json& merge, size_t index) const {
    const std::string path = where(fmt::format("model.merges[{}]", index));
    if (merge.is_array()) {
      const std::span<const Json> parts = merge.items(path);
      if (parts.size() == 2) return {parts[0].text(path), parts[1].text(path)};
    } else {
      const std::string_view text = merge.text(path);
      const size_t space = text.find(' ');
      if (space != text.npos && text.find(' ', space + 1) == text.npos) {
        return {text.substr(0, space), text.substr(space + 1)};
      }
    }
    fail(fmt::format("model.merges[{}]", index), "must be two tokens");
  }

  void read_merges(const Json& model, TokenizerLayout& layout) const {
    const std::span<const Json> merges = items_of(model, "merges", "model.");
    if (merges.size() > static_cast<size_t>(kMostIds)) {
      fail("model.merges", fmt::format("must hold at most {}", kMostIds));
    }
    layout.byte_pairs = BytePairs(read_byte_ids(layout), merges.size());
    std::string joined;
    for (size_t i = 0; i < merges.size(); ++i) {
      const auto [left, right] = merge_parts(merges[i], i);
      const auto id_of = [&, index = i](std::string_view text) {
        const auto found = layout.ids.find(text);
        if (found == layout.ids.end()) {
          fail(fmt::format("model.merges[{}]", index),
               fmt::format("needs {}, which is not in the vocabulary", quote(text)));
        }
        return found->second;
      };
      joined.assign(left).append(right);
      if (!layout.byte_pairs.add(id_of(left), id_of(right), id_of(joined))) {
        fail(fmt::format("model.merges[{}]", i),
             fmt::format("repeats the merge of {}", quote(joined)));
      }
    }
  }

  // ByteLevel changes no ids. A template may only add BOS in front; Tokenizer::adds_bos() decides
  // that, with or without the template.
  void check_post_processor(const Json& root) const {
    if (is_absent(root, "post_processor")) return;
    const Json& processor = member(root, "post_processor", "");
    if (text_of(processor, "type", "post_processor.") != "Sequence") {
      check_processor(processor);
      return;
    }
    for (const Json& item : items_of(processor, "processors", "post_processor.")) {
      check_processor(item);
    }
  }

  void check_processor(const Json& processor) const {
    const std::string& type = text_of(processor, "type", "post_processor.");
    if (type == "ByteLevel") return;
    if (type != "TemplateProcessing") {
      fail("post_processor.type", "must be ByteLevel or TemplateProcessing");
    }
    const std::span<const Json> pieces = items_of(processor, "single", "post_processor.");
    const bool fits = (pieces.size() == 1 || (pieces.size() == 2 && is_bos(pieces.front()))) &&
                      pieces.back().find("Sequence") != nullptr;
    if (!fits) fail("post_processor.single", "must be the text, or the begin token and the text");
  }

  bool is_bos(const Json& piece) const {
    const Json* token = piece.find("SpecialToken");
    return token != nullptr && text_of(*token, "id", "post_processor.single.") == kBosToken;
  }

  const std::string& name_;
};

}  // namespace

TokenizerLayout parse_tokenizer_layout(std::string_view json, const std::string& name) {
  return LayoutReader(name).layout(Json::parse(json, name));
}

bool parse_adds_bos(std::string_view json, const std::string& name) {
  return LayoutReader(name).adds_bos(Json::parse(json, name));
}

}  // namespace bifrons
