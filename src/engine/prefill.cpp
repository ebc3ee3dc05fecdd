// Chunked prefill, for prompts of pictures and of conversations.
#include "src/engine/prefill.h"

#include <algorithm>
#include <vector>

#include "src/engine/spans.h"

namespace bifrons {

void Prefill::reserve(int64_t rows) {
  activations_ = transformer_.make_activations(b_, rows);
  counters_ = b_.allocate(3 * rows * size_of(DType::kI32));
}

Tensor Prefill::upload(int32_t PrefillRow::*field, std::span<const PrefillRow> rows, int64_t slot) {
  std::vector<int32_t> values;
  for (const PrefillRow& row : rows) values.push_back(row.*field);
  const Tensor tensor = counters_.view(DType::kI32, {static_cast<int64_t>(rows.size())},
                                       slot * limit() * size_of(DType::kI32));
  b_.upload(tensor, values.data());
  return tensor;
}

void Prefill::embed(const Tensor& x, std::span<const PrefillRow> rows) {
  for (int64_t begin = 0; begin < x.rows(); begin += limit()) {
    const int64_t n = std::min(limit(), x.rows() - begin);
    const Tensor ids = upload(&PrefillRow::id, rows.subspan(begin, n), 0);
    b_.gather(x.slice_rows(begin, n), transformer_.weights().token_embedding, ids);
  }
  // Rows of pictures in a run are copied at once.
  for (int64_t i = 0; i < x.rows();) {
    const EmbeddedPicture* picture = rows[i].picture;
    int64_t end = i + 1;
    while (end < x.rows() && rows[end].picture == picture && rows[end].id == rows[end - 1].id - 1) {
      ++end;
    }
    if (picture != nullptr) {
      const int64_t first = int64_t{picture->first_key} - rows[i].id;
      b_.copy(x.slice_rows(i, end - i), picture->rows.slice_rows(first, end - i));
    }
    i = end;
  }
}

void Prefill::forward(const Tensor& x, std::span<const PrefillRow> rows,
                      const PagedKvCache& cache) {
  for (int64_t begin = 0; begin < x.rows(); begin += limit()) {
    const int64_t n = std::min(limit(), x.rows() - begin);
    const auto chunk = rows.subspan(begin, n);
    const TokenRows places{upload(&PrefillRow::sequence, chunk, 1),
                           upload(&PrefillRow::position, chunk, 2), n};
    transformer_.forward(b_, x.slice_rows(begin, n), places, cache, activations_);
  }
}

}  // namespace bifrons
