// One buffer a layer, so that growing takes little more than what is added.
#include "src/model/sequence_memory.h"

#include "src/model/rope.h"

namespace bifrons {
namespace {

// Keys, then values: [slots, kv_heads, capacity, head_dim] each.
KvCache views_of(const Buffer& storage, DType dtype, int64_t slots, int64_t heads, int64_t capacity,
                 int64_t size) {
  KvCache cache;
  cache.k = storage.view(dtype, {slots, heads, capacity, size});
  cache.v = storage.view(dtype, {slots, heads, capacity, size}, cache.k.bytes());
  return cache;
}

void make_rope(Backend& b, SequenceMemory& memory, int64_t capacity, DType dtype,
               std::span<const float> inverse_frequency) {
  const int64_t half = static_cast<int64_t>(inverse_frequency.size());
  const RopeValues values = rope_values(inverse_frequency, capacity, dtype);
  const int64_t bytes = capacity * half * size_of(DType::kF32);
  Buffer storage = b.allocate(2 * bytes);
  memory.rope.cos = storage.view(DType::kF32, {capacity, half});
  memory.rope.sin = storage.view(DType::kF32, {capacity, half}, bytes);
  b.upload(memory.rope.cos, values.cos.data());
  b.upload(memory.rope.sin, values.sin.data());
  memory.rope_storage = std::move(storage);
}

// Positions [begin, end) of a slot as a matrix, a row for each head.
Tensor positions_of(const Tensor& cache, int64_t slot, int64_t begin, int64_t end) {
  const int64_t heads = cache.shape[1], capacity = cache.shape[2], size = cache.shape[3];
  return cache.reshape({cache.shape[0] * heads, capacity * size})
      .slice_rows(slot * heads, heads)
      .slice_cols(begin * size, (end - begin) * size);
}

}  // namespace

SequenceMemory make_sequence_memory(Backend& b, const CacheShape& shape, int64_t slots,
                                    int64_t capacity, std::span<const float> inverse_frequency) {
  check(static_cast<int64_t>(inverse_frequency.size()) == shape.head_dim / 2,
        "make_sequence_memory: one inverse frequency per pair of head dimensions");
  SequenceMemory memory;
  memory.slots = slots;
  memory.capacity = capacity;
  const int64_t bytes =
      2 * slots * shape.kv_heads * capacity * shape.head_dim * size_of(shape.dtype);
  for (int64_t l = 0; l < shape.layers; ++l) {
    memory.storage.push_back(b.allocate(bytes));
    memory.cache.push_back(views_of(memory.storage.back(), shape.dtype, slots, shape.kv_heads,
                                    capacity, shape.head_dim));
  }
  make_rope(b, memory, capacity, shape.dtype, inverse_frequency);
  return memory;
}

void grow(Backend& b, SequenceMemory& memory, int64_t capacity, std::span<const int64_t> used,
          std::span<const float> inverse_frequency) {
  check(static_cast<int64_t>(used.size()) == memory.slots, "grow: one length a slot");
  if (capacity <= memory.capacity) return;
  make_rope(b, memory, capacity, memory.cache[0].k.dtype, inverse_frequency);
  for (size_t l = 0; l < memory.cache.size(); ++l) {
    const KvCache old = memory.cache[l];
    if (old.k.shape[2] >= capacity) continue;  // by a call that found no room for all layers
    const int64_t heads = old.k.shape[1], size = old.k.shape[3];
    Buffer storage = b.allocate(2 * memory.slots * heads * capacity * size * size_of(old.k.dtype));
    const KvCache wide = views_of(storage, old.k.dtype, memory.slots, heads, capacity, size);
    for (int64_t slot = 0; slot < memory.slots; ++slot) {
      if (used[slot] == 0) continue;
      b.copy(positions_of(wide.k, slot, 0, used[slot]), positions_of(old.k, slot, 0, used[slot]));
      b.copy(positions_of(wide.v, slot, 0, used[slot]), positions_of(old.v, slot, 0, used[slot]));
    }
    b.synchronize();
    memory.cache[l] = wide;
    memory.storage[l] = std::move(storage);
  }
  memory.capacity = capacity;
}

void copy_positions(Backend& b, const SequenceMemory& memory, int64_t to, int64_t from,
                    int64_t begin, int64_t end) {
  if (to == from || begin >= end) return;
  for (const KvCache& cache : memory.cache) {
    b.copy(positions_of(cache.k, to, begin, end), positions_of(cache.k, from, begin, end));
    b.copy(positions_of(cache.v, to, begin, end), positions_of(cache.v, from, begin, end));
  }
}

}  // namespace bifrons
