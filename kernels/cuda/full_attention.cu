// Attention of every row to every row of a sequence (no mask, no cache): two GEMMs with a softmax
// between them.
#include "kernels/cuda/gemm_kernel.h"
#include "kernels/cuda/gemm_simt.h"
#include "kernels/cuda/launch.h"
#include "kernels/device_memory.h"
#include "kernels/pictures.h"

namespace bifrons::cuda {

// Softmax in place; one warp per row of n scores.
template <typename T>
__global__ void softmax_kernel(T* scores, int64_t rows, int64_t n, int64_t pitch) {
  const int64_t m = int64_t{blockIdx.x} * (blockDim.x / kWarp) + threadIdx.x / kWarp;
  if (m >= rows) return;
  T* row = scores + m * pitch;
  float top = -INFINITY, sum = 0.0f;
  for (int64_t i = threadIdx.x % kWarp; i < n; i += kWarp) top = fmaxf(top, to_float(row[i]));
  top = warp_max(top);
  for (int64_t i = threadIdx.x % kWarp; i < n; i += kWarp) sum += expf(to_float(row[i]) - top);
  sum = warp_sum(sum);
  for (int64_t i = threadIdx.x % kWarp; i < n; i += kWarp) {
    row[i] = round_to<T>(expf(to_float(row[i]) - top) / sum);
  }
}

inline Grid softmax_grid(int64_t rows) {
  constexpr int kThreads = 128;
  return {dim3(static_cast<unsigned>(ceil_div(rows, kThreads / kWarp))), dim3(kThreads)};
}

// blockIdx.z is one of several matrices [rows, cols], which lie one below the other.
__global__ void transpose_kernel(Bf16* to, int64_t to_pitch, const Bf16* from, int64_t from_pitch,
                                 int64_t rows, int64_t cols) {
  const int64_t r = blockIdx.x, c = int64_t{blockIdx.y} * blockDim.x + threadIdx.x;
  if (r >= rows || c >= cols) return;
  to[(blockIdx.z * cols + c) * to_pitch + r] = from[(blockIdx.z * rows + r) * from_pitch + c];
}

// All heads of a sequence, or several sequences with one head, as one batched GEMM on tensor cores.
void attend(Stream& s, const Tensor& y, const Tensor& q, const Tensor& k, const Tensor& v,
            int64_t heads, float scale) {
  constexpr int kThreads = 128;
  const int64_t sequences = picture_count(q, 2), n = q.rows() / sequences;
  const int64_t channels = q.cols(), size = channels / heads, products = heads * sequences;
  const int64_t pitch = (n + 7) / 8 * 8;  // rows of scores begin at multiples of 16 bytes
  auto* scores = reinterpret_cast<Bf16*>(
      s.workspace.area(sequences * full_attention_scratch(n, channels, heads)));
  Bf16* turned = scores + products * n * pitch;  // v as [sequences, channels, n]
  const Grid over_v{
      dim3(static_cast<unsigned>(n), static_cast<unsigned>(ceil_div(channels, kThreads)),
           static_cast<unsigned>(sequences)),
      dim3(kThreads)};
  launch(s.handle, transpose_kernel, over_v, turned, pitch, v.as<Bf16>(), v.pitch, n, channels);

  const auto count = static_cast<int>(products);
  const auto rows_of = [&](const Tensor& x) {
    return RowsOperand{x.as<Bf16>(), x.pitch, n, size, in_vectors(x) && size % 8 == 0};
  };
  // From one product to the next: a head's columns, or a sequence's rows.
  const auto next = [&](const Tensor& x) { return heads > 1 ? size : n * x.pitch; };
  // The epilogue writes y[n][m]: queries are the columns n of the GEMM, keys its rows m.
  const Epilogue<Bf16> score{.y = scores, .pitch = pitch, .m = n, .n = n, .scale = scale};
  gemm(s, TiledRows{rows_of(k)}, rows_of(q), score, size,
       Batched{count, next(k), next(q), n * pitch});
  launch(s.handle, softmax_kernel<Bf16>, softmax_grid(products * n), scores, products * n, n,
         pitch);
  const Epilogue<Bf16> mix{.y = y.as<Bf16>(), .pitch = y.pitch, .m = size, .n = n};
  gemm(s, TiledRows{RowsOperand{turned, pitch, size, n, true}},
       RowsOperand{scores, pitch, n, n, true}, mix, n,
       Batched{count, size * pitch, n * pitch, next(y)});
}

// One head, given as all columns of its tensors, in f32 (SIMT).
void attend_plainly(Stream& s, const Tensor& y, const Tensor& q, const Tensor& k, const Tensor& v,
                    float scale) {
  const int64_t n = q.rows(), channels = q.cols();
  auto* scores = reinterpret_cast<float*>(s.workspace.area(n * n * size_of(DType::kF32)));
  const Epilogue<float> score{.y = scores, .pitch = n, .m = n, .n = n, .scale = scale};
  const Epilogue<float> mix{.y = y.as<float>(), .pitch = y.pitch, .m = channels, .n = n};
  simt_gemm(s.handle, SimtRows<float>{k.as<float>(), k.pitch},
            SimtRows<float>{q.as<float>(), q.pitch}, score, channels);
  launch(s.handle, softmax_kernel<float>, softmax_grid(n), scores, n, n, n);
  simt_gemm(s.handle, SimtColumns<float>{v.as<float>(), v.pitch}, SimtRows<float>{scores, n}, mix,
            n);
}

void full_attention(Stream& s, const Tensor& y, const Tensor& q, const Tensor& k, const Tensor& v,
                    int64_t heads) {
  if (q.count() == 0) return;
  const int64_t size = q.cols() / heads, sequences = picture_count(q, 2);
  check(std::max(heads, sequences) <= 65535, "full_attention: at most 65535 heads or sequences");
  const float scale = static_cast<float>(1.0 / std::sqrt(static_cast<double>(size)));
  const bool tensor_cores = q.dtype == DType::kBf16;
  if (tensor_cores && (heads == 1 || sequences == 1)) return attend(s, y, q, k, v, heads, scale);
  for (int64_t i = 0; i < sequences; ++i) {
    const auto one = [=](const Tensor& t) { return picture_of(t, i, 2); };
    if (tensor_cores) {
      attend(s, one(y), one(q), one(k), one(v), heads, scale);
      continue;
    }
    for (int64_t h = 0; h < heads; ++h) {
      const auto head = [=](const Tensor& t) { return one(t).slice_cols(h * size, size); };
      attend_plainly(s, head(y), head(q), head(k), head(v), scale);
    }
  }
}

}  // namespace bifrons::cuda
