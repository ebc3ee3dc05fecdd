// Text to token ids and back: the byte-level BPE tokenizer of a model directory.
#include "src/tokenizer/tokenizer.h"

#include <fmt/format.h>

#include <utility>

#include "kernels/error.h"
#include "src/io/directory.h"
#include "src/io/quote.h"
#include "src/tokenizer/added_tokens.h"
#include "src/tokenizer/byte_alphabet.h"
#include "src/tokenizer/pre_tokenizer.h"
#include "src/tokenizer/tokenizer_json.h"
#include "src/tokenizer/unicode.h"

namespace bifrons {
namespace {

constexpr size_t kLongestText = size_t{256} << 20;
constexpr const char* kTokenizerFile = "tokenizer.json";
constexpr const char* kConfigFile = "tokenizer_config.json";
constexpr int64_t kLargestTokenizerFile = int64_t{32} << 20;

// Throws Error (missing) if there is no tokenizer.json. The message names the tokenizer files of
// other formats.
void check_tokenizer_there(const Directory& folder) {
  if (folder.contains(kTokenizerFile)) return;
  for (const char* other : {"tokenizer.model", "vocab.json", "merges.txt"}) {
    if (!folder.contains(other)) continue;
    throw Error(ErrorKind::kMissing,
                fmt::format("{}: no such file; {} cannot stand for it; save the tokenizer with "
                            "transformers (AutoTokenizer.save_pretrained)",
                            folder.shown(kTokenizerFile), other));
  }
  throw Error(ErrorKind::kMissing,
              fmt::format("{}: no such file; download it from where the weights are from",
                          folder.shown(kTokenizerFile)));
}

}  // namespace

struct Tokenizer::State {
  std::string name;
  TokenizerLayout layout;
  AddedTokens added;
  std::vector<bool> special;  // per id
};

Tokenizer::Tokenizer(std::unique_ptr<const State> state) : state_(std::move(state)) {}
Tokenizer::Tokenizer(Tokenizer&&) noexcept = default;
Tokenizer& Tokenizer::operator=(Tokenizer&&) noexcept = default;
Tokenizer::~Tokenizer() = default;

Tokenizer Tokenizer::open(const std::string& directory) {
  const Directory folder = Directory::open(directory);
  check_tokenizer_there(folder);
  const auto read = [&](const char* file) { return folder.read_file(file, kLargestTokenizerFile); };
  Tokenizer tokenizer = parse(read(kTokenizerFile), folder.shown(kTokenizerFile));
  const bool adds_bos =
      !folder.contains(kConfigFile) || parse_adds_bos(read(kConfigFile), folder.shown(kConfigFile));
  tokenizer.adds_bos_ = adds_bos;
  return tokenizer;
}

Tokenizer Tokenizer::parse(std::string_view json, const std::string& name) {
  auto state = std::make_unique<State>();
  state->name = name;
  state->layout = parse_tokenizer_layout(json, name);
  state->added = AddedTokens(state->layout.added);
  state->special.resize(state->layout.texts.size());
  for (const AddedToken& token : state->layout.added) state->special[token.id] = token.special;
  return Tokenizer(std::move(state));
}

Tokenizer Tokenizer::with_tokens(std::span<const std::string> tokens) const {
  auto state = std::make_unique<State>(State{state_->name, state_->layout, {}, state_->special});
  TokenizerLayout& layout = state->layout;
  for (const std::string& token : tokens) {
    const auto id = static_cast<int32_t>(layout.texts.size());
    if (!layout.ids.emplace(token, id).second) continue;
    layout.texts.push_back(token);
    layout.added.push_back({.id = id, .content = token, .normalized = true});
    state->special.push_back(false);
  }
  state->added = AddedTokens(layout.added);
  Tokenizer extended(std::move(state));
  extended.adds_bos_ = adds_bos_;
  return extended;
}

std::vector<int32_t> Tokenizer::encode(std::string_view text, SpecialTokens special) const {
  return encode_guarded(text, 0, special == SpecialTokens::kAsText ? text.size() : 0);
}

std::vector<int32_t> Tokenizer::encode_with_bos(std::string_view text,
                                                SpecialTokens special) const {
  std::vector<int32_t> ids = encode(text, special);
  if (adds_bos_) ids.insert(ids.begin(), special_ids().bos);
  return ids;
}

std::vector<int32_t> Tokenizer::encode_guarded(std::string_view text, size_t begin,
                                               size_t end) const {
  const ByteRange range{begin, end};
  return encode_guarded(text, {&range, 1});
}

std::vector<int32_t> Tokenizer::encode_guarded(std::string_view text,
                                               std::span<const ByteRange> guarded) const {
  for (const ByteRange& range : guarded) {
    check(range.begin <= range.end && range.end <= text.size(),
          "encode_guarded: the range leaves the text");
  }
  if (text.size() > kLongestText) {
    throw Error(ErrorKind::kData,
                fmt::format("the text is longer than {} MiB", kLongestText >> 20));
  }
  if (const std::optional<size_t> bad = invalid_utf8(text)) {
    throw Error(ErrorKind::kData, fmt::format("the text is not valid UTF-8 at byte {}", *bad));
  }
  const TokenizerLayout& layout = state_->layout;
  std::vector<int32_t> ids;
  const auto piece = [&](std::string_view part) { layout.byte_pairs.encode(part, ids); };
  state_->added.split(text, guarded, [&](std::optional<int32_t> id, std::string_view part) {
    if (id) {
      ids.push_back(*id);
    } else {
      pre_tokenize(part, layout.digits, piece);
    }
  });
  return ids;
}

std::string Tokenizer::decode(std::span<const int32_t> ids, bool skip_special) const {
  std::string bytes;
  for (const int32_t id : ids) {
    if (id < 0 || id >= size() || (skip_special && state_->special[id])) continue;
    const std::string& text = state_->layout.texts[id];
    bytes += bytes_of_letters(text).value_or(text);
  }
  return replace_invalid_utf8(bytes);
}

std::optional<int32_t> Tokenizer::id_of(std::string_view token) const {
  const auto found = state_->layout.ids.find(token);
  if (found == state_->layout.ids.end()) return std::nullopt;
  return found->second;
}

int64_t Tokenizer::size() const { return static_cast<int64_t>(state_->layout.texts.size()); }

bool Tokenizer::adds_bos() const { return adds_bos_; }

SpecialIds Tokenizer::special_ids() const {
  const auto needed = [&](std::string_view token) {
    if (const std::optional<int32_t> id = id_of(token)) return *id;
    throw Error(ErrorKind::kData,
                fmt::format("{}: lacks the token {}, which prompts are built with", state_->name,
                            quote(token)));
  };
  return {needed(kBosToken),     needed("<｜end▁of▁sentence｜>"),
          needed("<｜▁pad▁｜>"), needed("<begin_of_image>"),
          id_of("<|User|>"),     id_of("<|Assistant|>")};
}

}  // namespace bifrons
