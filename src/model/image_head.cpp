// The image head as ops: gen_head, classifier-free guidance, sampling, gen_embed and gen_aligner.
#include "src/model/image_head.h"

#include <algorithm>
#include <numeric>
#include <utility>
#include <vector>

namespace bifrons {
ImageHeadActivations ImageHeadActivations::first(int64_t n) const {
  ImageHeadActivations a = rows(of_each * n);
  a.guided = guided.slice_rows(0, n);
  return a;
}

ImageHeadActivations ImageHeadActivations::rows(int64_t n) const {
  ImageHeadActivations a;
  a.of_each = of_each;
  a.hidden = hidden.slice_rows(0, n);
  a.inner = inner.slice_rows(0, n);
  a.logits = logits.slice_rows(0, n);
  a.ids = ids.first(n);
  a.code = code.slice_rows(0, n);
  a.aligned = aligned.slice_rows(0, n);
  return a;
}

ImageHeadActivations ImageHead::lay_out(Arena& arena, int64_t pictures, int64_t of_each) const {
  const int64_t rows = of_each * pictures;
  ImageHeadActivations a;
  a.of_each = of_each;
  a.hidden = arena.take(activation_, {rows, config_.transformer.hidden});
  a.inner = arena.take(activation_, {rows, config_.image_token_embed});
  a.logits = arena.take(DType::kF32, {rows, config_.vq.codebook});
  a.guided = arena.take(DType::kF32, {pictures, config_.vq.codebook});
  a.ids = arena.take(DType::kI32, {rows});
  a.code = arena.take(activation_, {rows, config_.vq.code_dim});
  a.aligned = arena.take(activation_, {rows, config_.gen_aligner_width});
  return a;
}

int64_t ImageHead::activation_bytes(int64_t pictures, int64_t rows) const {
  return arena_bytes([&](Arena& arena) { lay_out(arena, pictures, rows); });
}

ImageHeadActivations ImageHead::make_activations(Backend& b, int64_t pictures, int64_t rows) const {
  Buffer storage = b.allocate(activation_bytes(pictures, rows));
  Arena arena(storage);
  ImageHeadActivations a = lay_out(arena, pictures, rows);
  a.storage = std::move(storage);
  return a;
}

void ImageHead::sample_codes(Backend& b, const ImageHeadActivations& a, const Tensor& guidance,
                             const SampleControls& controls) const {
  b.linear(a.inner, a.hidden, weights_.head_in);
  b.gelu(a.inner, a.inner);
  sample_inner(b, a, guidance, controls);
}

void ImageHead::norm_and_sample(Backend& b, const Tensor& x, const Norm& norm,
                                const ImageHeadActivations& a, const Tensor& guidance,
                                const SampleControls& controls) const {
  b.norm_linear_gelu(a.inner, x, norm, config_.transformer.norm_eps, weights_.head_in, a.hidden);
  sample_inner(b, a, guidance, controls);
}

void ImageHead::sample_inner(Backend& b, const ImageHeadActivations& a, const Tensor& guidance,
                             const SampleControls& controls) const {
  b.linear(a.logits, a.inner, weights_.head_out);
  b.guide_sample(a.ids, a.guided, a.logits, guidance, controls);
}

void ImageHead::embed_codes(Backend& b, const Tensor& x, const ImageHeadActivations& a) const {
  inputs_.rows > 0 ? b.gather(x, inputs_, a.ids) : align(b, x, a);
}

void ImageHead::align(Backend& b, const Tensor& x, const ImageHeadActivations& a) const {
  b.gather(a.code, weights_.code_embedding, a.ids);
  b.linear(a.aligned, a.code, weights_.aligner_in);
  b.gelu(a.aligned, a.aligned);
  b.linear(x, a.aligned, weights_.aligner_out);
}

bool ImageHead::precomputes_inputs(const Config& config, MemorySpace space) {
  constexpr int64_t kFewFlops = 2'000'000'000;  // some hundredths of a second on a host
  const int64_t weights =
      config.gen_aligner_width * (config.vq.code_dim + config.transformer.hidden);
  return space == MemorySpace::kDevice || 2 * config.vq.codebook * weights <= kFewFlops;
}

int64_t ImageHead::precomputed_bytes(const Config& config, DType activation) {
  return config.vq.codebook * config.transformer.hidden * size_of(activation);
}

void ImageHead::precompute_inputs(Backend& b) {
  constexpr int64_t kPictures = 128;  // two rows each
  const int64_t codes = config_.vq.codebook, hidden = config_.transformer.hidden;
  const ImageHeadActivations all = make_activations(b, kPictures);
  Table table;
  table.rows = codes;
  table.cols = hidden;
  table.dtype = activation_;
  table.storage = b.allocate(precomputed_bytes(config_, activation_));
  std::vector<int32_t> ids(codes);
  std::iota(ids.begin(), ids.end(), 0);
  for (int64_t first = 0; first < codes; first += 2 * kPictures) {
    const int64_t rows = std::min(codes - first, 2 * kPictures);
    const ImageHeadActivations a = all.rows(rows);
    b.upload(a.ids, &ids[first]);
    const int64_t offset = first * hidden * size_of(activation_);
    align(b, table.storage.view(activation_, {rows, hidden}, offset), a);
  }
  b.synchronize();
  inputs_ = std::move(table);
  weights_.code_embedding = {};
  weights_.aligner_in = {};
  weights_.aligner_out = {};
}

}  // namespace bifrons
