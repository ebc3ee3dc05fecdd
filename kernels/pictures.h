// Several pictures in one tensor: a leading dimension counts them.
#pragma once

#include "kernels/tensor.h"

namespace bifrons {

// Number of pictures in x: 1 if it has `rank` dimensions, those of one picture.
inline int64_t picture_count(const Tensor& x, int rank = 3) {
  return x.rank > rank ? x.shape[0] : 1;
}

// Picture i of x [P, ...] as a tensor of `rank` dimensions; i is less than P.
inline Tensor picture_of(const Tensor& x, int64_t i, int rank = 3) {
  if (x.rank == rank) return x;
  check(x.rank == rank + 1 && i >= 0 && i < x.shape[0], "picture_of: no such picture");
  Tensor one = x;
  one.data = x.row(i * (x.rows() / x.shape[0]));
  one.rank = rank;
  for (int d = 0; d < rank; ++d) one.shape[d] = x.shape[d + 1];
  one.shape[rank] = 1;
  return one;
}

}  // namespace bifrons
