// One buffer per layer, so that growing needs little more memory than the new pages.
#include "src/model/paged_kv_cache.h"

#include <algorithm>

#include "src/model/rope.h"

namespace bifrons {
namespace {

int64_t page_elements(const KvCache& cache) {
  return cache.kv_heads() * kPageTokens * cache.k.shape[3];
}

// Allocates a layer's pool: keys, then values. Of `like` only the shape of a page is used.
Buffer make_pool(Backend& b, KvCache& to, const KvCache& like, int64_t pages) {
  const DType dtype = like.k.dtype;
  Buffer storage = b.allocate(2 * pages * page_elements(like) * size_of(dtype));
  to.k = storage.view(dtype, {like.kv_heads(), pages, kPageTokens, like.k.shape[3]});
  to.v = storage.view(dtype, {like.kv_heads(), pages, kPageTokens, like.k.shape[3]}, to.k.bytes());
  return storage;
}

// Elements [first, first + count) of all pages in order, as a matrix with a row for each head.
Tensor elements_of(const Tensor& all, int64_t first, int64_t count) {
  return all.reshape({all.shape[0], all.cols() * all.shape[1] * kPageTokens})
      .slice_cols(first, count);
}

Tensor pages_of(const Tensor& all, int64_t count) {
  return elements_of(all, 0, count * kPageTokens * all.shape[3]);
}

// The first `positions` positions of a page; in 8 bits their scales and their codes lie apart.
std::vector<Tensor> positions_of(const KvCache& cache, const Tensor& all, int64_t page,
                                 int64_t positions) {
  const int64_t first = page * kPageTokens * all.shape[3], count = positions * cache.head_dim();
  if (!cache.int8_kv()) return {elements_of(all, first, count)};
  return {elements_of(all, first, positions * kScaleBytes),
          elements_of(all, first + kPageTokens * kScaleBytes, count)};
}

}  // namespace

PagedKvCache make_paged_kv_cache(Backend& b, const CacheShape& shape, int64_t sequences,
                                 int64_t capacity, int64_t pages,
                                 std::span<const float> inverse_frequency) {
  check(static_cast<int64_t>(inverse_frequency.size()) == shape.head_dim / 2,
        "make_paged_kv_cache: one inverse frequency per pair of head dimensions");
  PagedKvCache memory;
  memory.sequences = sequences;
  memory.activation = shape.activation;
  KvCache page;
  page.k = Tensor(nullptr, shape.dtype(), {shape.kv_heads, 1, kPageTokens, shape.columns()});
  memory.cache.resize(shape.layers);
  for (KvCache& cache : memory.cache) memory.storage.push_back(make_pool(b, cache, page, pages));
  memory.pages = pages;
  widen(b, memory, capacity, inverse_frequency);
  return memory;
}

void set_table(Backend& b, const PagedKvCache& memory,
               std::span<const std::vector<int32_t>> pages_of_sequences) {
  check(static_cast<int64_t>(pages_of_sequences.size()) == memory.sequences,
        "set_table: a list a sequence");
  const Tensor& table = memory.cache[0].table;
  std::vector<int32_t> all(table.count(), -1);
  for (int64_t sequence = 0; sequence < memory.sequences; ++sequence) {
    const std::vector<int32_t>& pages = pages_of_sequences[sequence];
    check(static_cast<int64_t>(pages.size()) <= table.cols(), "set_table: more than the capacity");
    std::copy(pages.begin(), pages.end(), all.begin() + sequence * table.cols());
  }
  b.upload(table, all.data());
}

void add_pages(Backend& b, PagedKvCache& memory, int64_t pages) {
  for (size_t l = 0; l < memory.cache.size(); ++l) {
    const KvCache old = memory.cache[l];
    if (old.pages() >= pages) continue;  // grown by an earlier call that failed at a later layer
    KvCache wide = old;
    Buffer storage = make_pool(b, wide, old, pages);
    b.copy(pages_of(wide.k, old.pages()), pages_of(old.k, old.pages()));
    b.copy(pages_of(wide.v, old.pages()), pages_of(old.v, old.pages()));
    b.synchronize();
    memory.cache[l] = wide;
    memory.storage[l] = std::move(storage);
  }
  memory.pages = std::max(memory.pages, pages);
}

void widen(Backend& b, PagedKvCache& memory, int64_t capacity,
           std::span<const float> inverse_frequency) {
  const int64_t columns = pages_for(capacity), positions = columns * kPageTokens;
  if (positions <= memory.capacity) return;
  const int64_t half = static_cast<int64_t>(inverse_frequency.size());
  const RopeValues values = rope_values(inverse_frequency, positions, memory.activation);
  const int64_t bytes = positions * half * size_of(DType::kF32);
  Buffer rope = b.allocate(2 * bytes);
  Buffer table = b.allocate(memory.sequences * columns * size_of(DType::kI32));
  memory.rope.cos = rope.view(DType::kF32, {positions, half});
  memory.rope.sin = rope.view(DType::kF32, {positions, half}, bytes);
  b.upload(memory.rope.cos, values.cos.data());
  b.upload(memory.rope.sin, values.sin.data());
  for (KvCache& cache : memory.cache) {
    cache.table = table.view(DType::kI32, {memory.sequences, columns});
  }
  memory.rope_storage = std::move(rope);
  memory.table_storage = std::move(table);
  memory.capacity = positions;
}

void copy_page(Backend& b, const PagedKvCache& memory, int64_t to, int64_t from,
               int64_t positions) {
  for (const KvCache& cache : memory.cache) {
    for (const Tensor& all : {cache.k, cache.v}) {
      const std::vector<Tensor> there = positions_of(cache, all, to, positions);
      const std::vector<Tensor> here = positions_of(cache, all, from, positions);
      for (size_t i = 0; i < here.size(); ++i) b.copy(there[i], here[i]);
    }
  }
}

}  // namespace bifrons
