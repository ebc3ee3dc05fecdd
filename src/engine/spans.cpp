// Embeds pictures for prompts of spans.
#include "src/engine/spans.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "src/engine/text_decoder.h"

namespace bifrons {
namespace {

// Memory for `rows` embeddings, with keys that no other picture of the engine has.
EmbeddedPicture new_picture(const Engine::Parts& parts, int64_t rows) {
  constexpr int64_t kMostRows = std::numeric_limits<int32_t>::max();
  if (parts.embedded_rows + rows > kMostRows) {
    throw Error(ErrorKind::kUnavailable,
                "this engine was shown as many pictures as it can tell apart; open it again");
  }
  const DType dtype = parts.transformer.activation();
  const int64_t hidden = parts.config.transformer.hidden;
  EmbeddedPicture picture;
  picture.storage = parts.backend.allocate(rows * hidden * size_of(dtype));
  picture.rows = picture.storage.view(dtype, {rows, hidden});
  picture.first_key = static_cast<int32_t>(-1 - parts.embedded_rows);
  parts.embedded_rows += rows;
  return picture;
}

}  // namespace

const EmbeddedPicture& SpannedPrompt::picture_of(int32_t key) const {
  for (const SpannedRow& row : rows) {
    for (const PromptSpan& span : row) {
      if (span.picture && span.picture->holds(key)) return *span.picture;
    }
  }
  throw ContractError("picture_of: no picture of this prompt has that key");
}

std::vector<int32_t> keys_of(const SpannedRow& row) {
  std::vector<int32_t> keys;
  for (const PromptSpan& span : row) {
    keys.insert(keys.end(), span.ids.begin(), span.ids.end());
    for (int64_t t = 0; span.picture && t < span.picture->count(); ++t) {
      keys.push_back(span.picture->key(t));
    }
  }
  return keys;
}

std::shared_ptr<const EmbeddedPicture> embed_codes(const Engine::Parts& parts,
                                                   std::span<const int32_t> codes) {
  constexpr int64_t kColumns = 32;  // of two rows; more would only take more scratch memory
  const auto count = static_cast<int64_t>(codes.size());
  EmbeddedPicture picture = new_picture(parts, count);
  const ImageHeadActivations all = parts.image_head.make_activations(parts.backend, kColumns);
  for (int64_t first = 0; first < count; first += 2 * kColumns) {
    const int64_t n = std::min(count - first, 2 * kColumns);
    const ImageHeadActivations some = all.rows(n);
    parts.backend.upload(some.ids, &codes[first]);
    parts.image_head.embed_codes(parts.backend, picture.rows.slice_rows(first, n), some);
  }
  parts.backend.synchronize();  // the activations are freed now
  return std::make_shared<const EmbeddedPicture>(std::move(picture));
}

std::shared_ptr<const EmbeddedPicture> embed_seen(const Understanding::Parts& parts,
                                                  const SeenPicture& seen) {
  EmbeddedPicture picture = new_picture(parts.engine, parts.model.tower().config().tokens());
  parts.decoder.embed_picture(picture.rows, seen);
  return std::make_shared<const EmbeddedPicture>(std::move(picture));
}

}  // namespace bifrons
