// Attention of every row to every row, one head after another: two products with a softmax
// between them.
#include "kernels/cuda/launch.h"
#include "kernels/cuda/plain_product.h"
#include "kernels/cuda/products.h"

namespace bifrons::cuda {

// In place: a warp turns a row of n scores into probabilities.
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

__global__ void transpose_kernel(Bf16* to, int64_t to_pitch, const Bf16* from, int64_t from_pitch,
                                 int64_t rows, int64_t cols) {
  const int64_t r = blockIdx.x, c = int64_t{blockIdx.y} * blockDim.x + threadIdx.x;
  if (r < rows && c < cols) to[c * to_pitch + r] = from[r * from_pitch + c];
}

// One head: all columns of its tensors.
void attend(Stream& s, const Tensor& y, const Tensor& q, const Tensor& k, const Tensor& v) {
  const int64_t n = q.rows(), channels = q.cols();
  if (q.count() == 0) return;
  const float scale = static_cast<float>(1.0 / std::sqrt(static_cast<double>(channels)));
  const int64_t pitch = (n + 7) / 8 * 8;  // rows of scores begin at multiples of 16 bytes
  std::byte* area = s.workspace.area(pitch * (n + channels) * size_of(q.dtype));
  constexpr int kThreads = 128;
  const Grid softmax{dim3(static_cast<unsigned>(ceil_div(n, kThreads / kWarp))), dim3(kThreads)};
  visit_activation(q.dtype, [&](auto element) {
    using T = decltype(element);
    T* scores = reinterpret_cast<T*>(area);  // [n, n], row i the scores of query i
    // "y[n][m]" of a product is row n: queries are its columns n, keys its rows m.
    const Finish<T> score{.y = scores, .pitch = pitch, .m = n, .n = n, .scale = scale};
    const Finish<T> mix{.y = y.as<T>(), .pitch = y.pitch, .m = channels, .n = n};
    if constexpr (std::is_same_v<T, Bf16>) {
      Bf16* turned = scores + n * pitch;  // v as [channels, n]
      const Grid over_v{
          dim3(static_cast<unsigned>(n), static_cast<unsigned>(ceil_div(channels, kThreads))),
          dim3(kThreads)};
      launch(s.handle, transpose_kernel, over_v, turned, pitch, v.as<Bf16>(), v.pitch, n, channels);
      const RowsOperand queries{q.as<Bf16>(), q.pitch, n, channels, in_vectors(q)};
      const RowsOperand keys{k.as<Bf16>(), k.pitch, n, channels, in_vectors(k)};
      multiply(s.handle, TiledRows{keys}, queries, score, channels);
      launch(s.handle, softmax_kernel<T>, softmax, scores, n, n, pitch);
      multiply(s.handle, TiledRows{RowsOperand{turned, pitch, channels, n, true}},
               RowsOperand{scores, pitch, n, n, true}, mix, n);
    } else {
      multiply_plainly(s.handle, PlainRows<T>{k.as<T>(), k.pitch}, PlainRows<T>{q.as<T>(), q.pitch},
                       score, channels);
      launch(s.handle, softmax_kernel<T>, softmax, scores, n, n, pitch);
      multiply_plainly(s.handle, PlainColumns<T>{v.as<T>(), v.pitch}, PlainRows<T>{scores, pitch},
                       mix, n);
    }
  });
}

void full_attention(Stream& s, const Tensor& y, const Tensor& q, const Tensor& k, const Tensor& v,
                    int64_t heads) {
  const int64_t size = q.cols() / heads;
  for (int64_t h = 0; h < heads; ++h) {
    const auto head = [=](const Tensor& t) { return t.slice_cols(h * size, size); };
    attend(s, head(y), head(q), head(k), head(v));
  }
}

}  // namespace bifrons::cuda
