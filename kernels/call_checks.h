// Argument checks of the public ops. The error messages name the op and the argument.
#pragma once

#include <fmt/format.h>

#include <string>
#include <string_view>

#include "kernels/backend.h"

namespace bifrons {

// Like check(), but the message is formatted only on failure.
template <typename... Args>
void require(bool holds, fmt::format_string<Args...> sentence, Args&&... args) {
  if (!holds) throw ContractError(fmt::format(sentence, std::forward<Args>(args)...));
}

inline std::string shape_of(const Tensor& t) {
  std::string words = fmt::format("{} [", name_of(t.dtype));
  for (int i = 0; i < t.rank; ++i) words += (i == 0 ? "" : ", ") + std::to_string(t.shape[i]);
  return words + "]";
}

inline bool is_activation(DType type) { return type == DType::kF32 || type == DType::kBf16; }

// The checks of one call of one op.
struct Checker {
  std::string_view op;
  MemorySpace space;

  void tensor(std::string_view name, const Tensor& t) const {
    require(t.space == space, "{}: {} lies in the wrong memory", op, name);
    require(t.data != nullptr || t.count() == 0, "{}: {} has no memory", op, name);
    require(t.pitch >= t.cols(), "{}: the rows of {} overlap", op, name);
  }
  void activation(std::string_view name, const Tensor& t) const {
    tensor(name, t);
    require(is_activation(t.dtype), "{}: {} is {}; it must be f32 or bf16", op, name,
            name_of(t.dtype));
  }
  void typed(std::string_view name, const Tensor& t, DType dtype) const {
    tensor(name, t);
    require(t.dtype == dtype, "{}: {} is {}; it must be {}", op, name, name_of(t.dtype),
            name_of(dtype));
  }
  // A contiguous array of n elements of a type.
  void array(std::string_view name, const Tensor& t, DType dtype, int64_t n) const {
    typed(name, t, dtype);
    require(t.rank == 1 && t.count() == n, "{}: {} is {}; it must hold {}", op, name, shape_of(t),
            n);
  }
  void alike(std::string_view a_name, const Tensor& a, std::string_view b_name,
             const Tensor& b) const {
    require(a.same_shape(b) && a.dtype == b.dtype, "{}: {} is {} but {} is {}", op, a_name,
            shape_of(a), b_name, shape_of(b));
  }
  void equal(std::string_view a_name, int64_t a, std::string_view b_name, int64_t b) const {
    require(a == b, "{}: {} is {} but {} is {}", op, a_name, a, b_name, b);
  }
  void rank(std::string_view name, const Tensor& t, int rank) const {
    require(t.rank == rank, "{}: {} is {}; it must have {} dimensions", op, name, shape_of(t),
            rank);
  }
  void whole(std::string_view name, const Tensor& t) const {
    require(t.contiguous(), "{}: {} must be contiguous", op, name);
  }
  // One or several pictures of activations: [H, W, C] or [P, H, W, C].
  void pictures(std::string_view name, const Tensor& t) const {
    activation(name, t);
    require(t.rank == 3 || t.rank == 4, "{}: {} is {}; it must have 3 or 4 dimensions", op, name,
            shape_of(t));
    whole(name, t);
  }
  void rows(const TokenRows& rows, int64_t n) const {
    array("sequence", rows.sequence, DType::kI32, n);
    array("position", rows.position, DType::kI32, n);
  }
  void cache(const KvCache& cache, const Tensor& q) const {
    tensor("the cache", cache.k);
    tensor("the cache", cache.v);
    alike("the cache of k", cache.k, "of v", cache.v);
    rank("the cache", cache.k, 4);
    whole("the cache of k", cache.k);
    whole("the cache of v", cache.v);
    equal("positions of a page", cache.k.shape[2], "those of every cache", kPageTokens);
    typed("the table of the cache", cache.table, DType::kI32);
    rank("the table of the cache", cache.table, 2);
    whole("the table of the cache", cache.table);
    require(cache.k.dtype == q.dtype || cache.int8_kv(), "{}: q is {} but the cache is {}", op,
            name_of(q.dtype), name_of(cache.k.dtype));
    const int64_t size = cache.head_dim();
    require(size > 0 && cache.kv_heads() > 0 && q.cols() % (size * cache.kv_heads()) == 0,
            "{}: q is {}, which does not divide into the heads of a cache {}", op, shape_of(q),
            shape_of(cache.k));
  }
  void copyable(const Tensor& to, const Tensor& from) const {
    tensor("the destination", to);
    tensor("the source", from);
    require(to.dtype == from.dtype && to.rows() == from.rows() && to.cols() == from.cols(),
            "{}: the source is {} but the destination is {}", op, shape_of(from), shape_of(to));
  }
};

}  // namespace bifrons
