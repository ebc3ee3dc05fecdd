// The CPU implementation of every op as a free function. Backend has checked the shapes. The
// contracts of rounding and rows are in kernels/backend.h.
#pragma once

#include <algorithm>

#include "kernels/backend.h"
#include "kernels/cpu/gemm_onednn.h"
#include "kernels/cpu/isa.h"
#include "kernels/cpu/thread_pool.h"

namespace bifrons::cpu {

// Calls body(row) for every row, in chunks of a few rows on the pool: for ops with little work per
// row.
template <typename Body>
void run_rows(ThreadPool& pool, int64_t rows, const Body& body) {
  constexpr int64_t kRows = 8;
  pool.run((rows + kRows - 1) / kRows, [&](int64_t chunk) {
    const int64_t end = std::min(rows, (chunk + 1) * kRows);
    for (int64_t m = chunk * kRows; m < end; ++m) body(m);
  });
}

// rows.cpp
void gather(const Tensor& y, const Table& table, const Tensor& ids);
void rms_norm(const Tensor& y, const Tensor& x, const Norm& norm, double eps);
void layer_norm(ThreadPool& pool, const Tensor& y, const Tensor& x, const Norm& norm, double eps);
void swiglu(ThreadPool& pool, const Tensor& y, const Tensor& gate_up);
void gelu(ThreadPool& pool, const Tensor& y, const Tensor& x);
void force_ids(const Tensor& ids, const Tensor& forced, const Tensor& step);
void record_ids(const Tensor& ring, const Tensor& ids, const Tensor& step);
void advance(const Tensor& counters);

// drafts.cpp
void accept_drafts(const DraftWindows& windows, const Tensor& ids);

// attention.cpp
void rope_append(ThreadPool& pool, const Tensor& q, const KvCache& cache, const Tensor& qkv,
                 const RopeTable& rope, const TokenRows& rows);
void attention(ThreadPool& pool, const InstructionSet& isa, const Tensor& y, const Tensor& q,
               const KvCache& cache, const TokenRows& rows);

// sample.cpp
void guide(ThreadPool& pool, const Tensor& guided, const Tensor& logits, const Tensor& scale);
void sample(ThreadPool& pool, const Tensor& ids, const Tensor& guided,
            const SampleControls& controls);

// group_norm.cpp, pixels.cpp, full_attention.cpp
void group_norm(ThreadPool& pool, const InstructionSet& isa, const Tensor& y, const Tensor& x,
                const Norm& norm, int64_t groups, double eps, bool silu);
void upsample2x(ThreadPool& pool, const Tensor& y, const Tensor& x);
void to_pixels(ThreadPool& pool, const Tensor& pixels, const Tensor& x, const Tensor& not_finite);
void full_attention(ThreadPool& pool, const InstructionSet& isa, OnednnGemm& products,
                    const Tensor& y, const Tensor& q, const Tensor& k, const Tensor& v,
                    int64_t heads);

}  // namespace bifrons::cpu
