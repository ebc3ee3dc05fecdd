// Reads tokenizer.json: checks that it has the one layout this engine speaks, and takes it apart.
#include "src/tokenizer/layout.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "kernels/error.h"
#include "src/io/quote.h"
#include "src/tokenizer/byte_alphabet.h"
#include "src/tokenizer/unicode.h"

namespace bifrons {
namespace {

using Json = nlohmann::json;

constexpr int kDeepest = 16;            // levels of brackets; the published file has six
constexpr int64_t kMostIds = 1 << 20;
constexpr size_t kMostAdded = 2000;
constexpr size_t kLongestToken = 512;   // bytes

class LayoutReader {
 public:
  explicit LayoutReader(const std::string& name) : name_(name) {}

  Json document(std::string_view text) const {
    refuse_depth(text);
    Json parsed;
    try {
      parsed = Json::parse(text.begin(), text.end());
    } catch (const Json::parse_error& error) {
      // The library's own message repeats bytes of the file; the place is enough.
      fail(fmt::format("is not valid JSON near byte {}", error.byte));
    }
    if (!parsed.is_object()) fail("must hold one JSON object");
    return parsed;
  }

  TokenizerLayout layout(const Json& root) const {
    for (const char* unused : {"truncation", "padding"}) {
      if (!is_absent(root, unused)) fail(unused, "must be null: a prompt is neither cut nor padded");
    }
    check_normalizer(root);
    check_decoder(root);
    TokenizerLayout layout;
    layout.digits = read_splits(root);
    const Json& model = member(root, "model", "");
    check_model(model);
    read_vocabulary(member(model, "vocab", "model."), layout);
    read_added(root, layout);
    for (size_t id = 0; id < layout.texts.size(); ++id) {
      layout.ids.try_emplace(layout.texts[id], static_cast<int32_t>(id));
    }
    read_merges(member(model, "merges", "model."), layout);
    check_post_processor(root, layout);
    return layout;
  }

  bool adds_bos(const Json& root) const {
    if (flag(root, "add_eos_token", false, "")) {
      fail("add_eos_token", "must be false: a prompt does not end a sentence");
    }
    return flag(root, "add_bos_token", true, "");
  }

 private:
  [[noreturn]] void fail(std::string_view reason) const {
    throw Error(ErrorKind::kData, fmt::format("{} {}", quote(name_), reason));
  }
  [[noreturn]] void fail(std::string_view field, std::string_view reason) const {
    fail(fmt::format("cannot be used: {} {}", field, reason));
  }

  // The parser is iterative, but freeing what it built is not to be trusted with any depth.
  void refuse_depth(std::string_view text) const {
    int depth = 0;
    bool in_string = false;
    for (size_t at = 0; at < text.size(); ++at) {
      const char c = text[at];
      if (in_string) {
        if (c == '\\') ++at;
        if (c == '"') in_string = false;
      } else if (c == '"') {
        in_string = true;
      } else if (c == '{' || c == '[') {
        if (++depth > kDeepest) {
          fail(fmt::format("nests brackets deeper than {} at byte {}", kDeepest, at));
        }
      } else if (c == '}' || c == ']') {
        --depth;
      }
    }
  }

  static bool is_absent(const Json& object, const char* key) {
    const auto found = object.find(key);
    return found == object.end() || found->is_null();
  }

  const Json& member(const Json& object, const char* key, const std::string& path) const {
    const auto found = object.find(key);
    if (found == object.end()) fail(path + key, "is missing");
    return *found;
  }

  std::string text_of(const Json& object, const char* key, const std::string& path) const {
    const Json& value = member(object, key, path);
    if (!value.is_string()) fail(path + key, "must be a string");
    return value.get<std::string>();
  }

  bool flag(const Json& object, const char* key, bool otherwise, const std::string& path) const {
    if (is_absent(object, key)) return otherwise;
    if (!object[key].is_boolean()) fail(path + key, "must be true or false");
    return object[key].get<bool>();
  }

  const Json& object_at(const Json& root, const char* key) const {
    const Json& value = member(root, key, "");
    if (!value.is_object()) fail(key, "must be an object");
    return value;
  }

  void check_normalizer(const Json& root) const {
    if (is_absent(root, "normalizer")) return;
    const Json& normalizer = object_at(root, "normalizer");
    const auto list = normalizer.find("normalizers");
    if (text_of(normalizer, "type", "normalizer.") != "Sequence" || list == normalizer.end() ||
        !list->is_array() || !list->empty()) {
      fail("normalizer", "must be null or an empty Sequence: text is taken as it is");
    }
  }

  void check_decoder(const Json& root) const {
    if (is_absent(root, "decoder")) return;
    if (text_of(object_at(root, "decoder"), "type", "decoder.") != "ByteLevel") {
      fail("decoder", "must be ByteLevel");
    }
  }

  DigitSplit read_splits(const Json& root) const {
    const Json& sequence = object_at(root, "pre_tokenizer");
    const Json& list = member(sequence, "pretokenizers", "pre_tokenizer.");
    if (text_of(sequence, "type", "pre_tokenizer.") != "Sequence" || !list.is_array() ||
        list.size() != kPatternSplits + 2) {
      fail("pre_tokenizer", "must be the Sequence of seven steps of DeepSeek-LLM");
    }
    for (const Json& step : list) {
      if (!step.is_object()) fail("pre_tokenizer.pretokenizers", "must hold objects");
    }
    for (size_t i = 0; i < kPatternSplits; ++i) {
      const std::string path = step_path(i);
      const std::vector<std::string> known = split_patterns(i);
      if (std::find(known.begin(), known.end(), pattern_of(list[i], path)) == known.end()) {
        fail(path + "pattern", "is not the one DeepSeek-LLM splits with at this place");
      }
    }
    const std::string last = step_path(kPatternSplits + 1);
    const Json& bytes = list[kPatternSplits + 1];
    if (text_of(bytes, "type", last) != "ByteLevel" || flag(bytes, "add_prefix_space", true, last) ||
        flag(bytes, "use_regex", true, last)) {
      fail(last + "type", "must be ByteLevel with add_prefix_space and use_regex false");
    }
    return digit_split(list[kPatternSplits]);
  }

  static std::string step_path(size_t index) {
    return fmt::format("pre_tokenizer.pretokenizers[{}].", index);
  }

  std::string pattern_of(const Json& step, const std::string& path) const {
    if (text_of(step, "type", path) != "Split" || text_of(step, "behavior", path) != "Isolated" ||
        flag(step, "invert", false, path)) {
      fail(path + "type", "must be a Split with behavior Isolated and invert false");
    }
    const Json& pattern = member(step, "pattern", path);
    if (!pattern.is_object()) fail(path + "pattern", "must be an object");
    return text_of(pattern, "Regex", path + "pattern.");
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
    if (!model.is_object()) fail("model", "must be an object");
    if (text_of(model, "type", "model.") != "BPE") fail("model.type", "must be BPE");
    for (const char* key : {"dropout", "unk_token"}) {
      if (!is_absent(model, key)) fail(std::string("model.") + key, "must be null");
    }
    for (const char* key : {"continuing_subword_prefix", "end_of_word_suffix"}) {
      if (!is_absent(model, key) && model[key] != "") {
        fail(std::string("model.") + key, "must be null or empty");
      }
    }
    for (const char* key : {"byte_fallback", "ignore_merges"}) {
      if (flag(model, key, false, "model.")) fail(std::string("model.") + key, "must be false");
    }
  }

  void read_vocabulary(const Json& vocabulary, TokenizerLayout& layout) const {
    if (!vocabulary.is_object()) fail("model.vocab", "must be an object");
    const auto count = static_cast<int64_t>(vocabulary.size());
    if (count == 0 || count > kMostIds) {
      fail("model.vocab", fmt::format("must hold 1 to {} tokens, not {}", kMostIds, count));
    }
    layout.texts.resize(vocabulary.size());
    for (const auto& [text, id] : vocabulary.items()) {
      if (text.empty() || text.size() > kLongestToken) {
        fail("model.vocab", fmt::format("{} is not 1 to {} bytes long", quote(text), kLongestToken));
      }
      if (!id.is_number_unsigned() || id.get<uint64_t>() >= static_cast<uint64_t>(count)) {
        fail("model.vocab", fmt::format("the id of {} must be an integer from 0 to {}",
                                        quote(text), count - 1));
      }
      std::string& place = layout.texts[id.get<size_t>()];
      if (!place.empty()) {
        fail("model.vocab",
             fmt::format("gives id {} to {} and {}", id.get<size_t>(), quote(place), quote(text)));
      }
      place = text;
    }
  }

  AddedToken read_added_token(const Json& entry, const std::string& path) const {
    if (!entry.is_object()) fail(path, "must be an object");
    AddedToken token;
    token.content = text_of(entry, "content", path);
    if (token.content.empty() || token.content.size() > kLongestToken) {
      fail(path + "content", fmt::format("must be 1 to {} bytes long", kLongestToken));
    }
    const Json& id = member(entry, "id", path);
    if (!id.is_number_unsigned() || id.get<uint64_t>() >= static_cast<uint64_t>(kMostIds)) {
      fail(path + "id", fmt::format("must be an integer from 0 to {}", kMostIds - 1));
    }
    token.id = id.get<int32_t>();
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
    const Json& list = root["added_tokens"];
    if (!list.is_array()) fail("added_tokens", "must be an array");
    if (list.size() > kMostAdded) {
      fail("added_tokens", fmt::format("must hold at most {}, not {}", kMostAdded, list.size()));
    }
    std::unordered_map<std::string, int32_t> seen;
    std::unordered_map<std::string_view, int32_t> model_ids;
    for (size_t id = 0; id < layout.texts.size(); ++id) {
      model_ids.try_emplace(layout.texts[id], static_cast<int32_t>(id));
    }
    std::vector<std::string> fresh;
    for (size_t i = 0; i < list.size(); ++i) {
      const std::string path = fmt::format("added_tokens[{}].", i);
      AddedToken token = read_added_token(list[i], path);
      if (!seen.try_emplace(token.content, token.id).second) {
        fail(path + "content", fmt::format("{} is added twice", quote(token.content)));
      }
      const auto in_model = model_ids.find(token.content);
      // `tokenizers` numbers tokens itself, in the order of the file; another id would disagree.
      const auto expected = in_model != model_ids.end()
                                ? in_model->second
                                : static_cast<int32_t>(layout.texts.size() + fresh.size());
      if (token.id != expected) {
        fail(path + "id", fmt::format("is {} but {} would be the next", token.id, expected));
      }
      if (in_model == model_ids.end()) fresh.push_back(token.content);
      layout.added.push_back(std::move(token));
    }
    for (std::string& content : fresh) layout.texts.push_back(std::move(content));
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
    if (merge.is_array()) {
      if (merge.size() == 2 && merge[0].is_string() && merge[1].is_string()) {
        return {merge[0].get_ref<const std::string&>(), merge[1].get_ref<const std::string&>()};
      }
    } else if (merge.is_string()) {
      const std::string_view text = merge.get_ref<const std::string&>();
      const size_t space = text.find(' ');
      if (space != text.npos && text.find(' ', space + 1) == text.npos) {
        return {text.substr(0, space), text.substr(space + 1)};
      }
    }
    fail(fmt::format("model.merges[{}]", index), "must be two tokens");
  }

  void read_merges(const Json& merges, TokenizerLayout& layout) const {
    if (!merges.is_array() || merges.size() > static_cast<size_t>(kMostIds)) {
      fail("model.merges", fmt::format("must be an array of at most {}", kMostIds));
    }
    layout.byte_pairs = BytePairs(read_byte_ids(layout), merges.size());
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
      const std::string joined = std::string(left).append(right);
      if (!layout.byte_pairs.add(id_of(left), id_of(right), id_of(joined))) {
        fail(fmt::format("model.merges[{}]", i), fmt::format("repeats the merge of {}", quote(joined)));
      }
    }
  }

  // ByteLevel changes no ids; a template may only put the beginning of a sentence in front, which
  // is done here whether it says so or not (see Tokenizer::adds_bos).
  void check_post_processor(const Json& root, const TokenizerLayout& layout) const {
    if (is_absent(root, "post_processor")) return;
    const Json& processor = object_at(root, "post_processor");
    if (text_of(processor, "type", "post_processor.") != "Sequence") {
      check_processor(processor, layout);
      return;
    }
    const Json& list = member(processor, "processors", "post_processor.");
    if (!list.is_array()) fail("post_processor.processors", "must be an array");
    for (const Json& item : list) check_processor(item, layout);
  }

  void check_processor(const Json& processor, const TokenizerLayout& layout) const {
    if (!processor.is_object()) fail("post_processor", "must hold objects");
    const std::string type = text_of(processor, "type", "post_processor.");
    if (type == "ByteLevel") return;
    if (type != "TemplateProcessing") fail("post_processor", "must be ByteLevel or a template");
    const Json& single = member(processor, "single", "post_processor.");
    const bool fits = single.is_array() && !single.empty() && single.size() <= 2 &&
                      single.back().is_object() && single.back().contains("Sequence") &&
                      (single.size() == 1 || names_bos(single.front(), layout));
    if (!fits) fail("post_processor.single", "must be the text, or the begin token and the text");
  }

  static bool names_bos(const Json& piece, const TokenizerLayout& layout) {
    if (!piece.is_object() || !piece.contains("SpecialToken")) return false;
    const Json& token = piece["SpecialToken"];
    return token.is_object() && token.contains("id") && token["id"].is_string() &&
           token["id"] == "<｜begin▁of▁sentence｜>" &&
           layout.ids.contains("<｜begin▁of▁sentence｜>");
  }

  const std::string& name_;
};

}  // namespace

TokenizerLayout parse_tokenizer_layout(std::string_view json, const std::string& name) {
  const LayoutReader reader(name);
  return reader.layout(reader.document(json));
}

bool parse_adds_bos(std::string_view json, const std::string& name) {
  const LayoutReader reader(name);
  return reader.adds_bos(reader.document(json));
}

}  // namespace bifrons
