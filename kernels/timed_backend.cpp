// Every op forwarded with a clock around it.
#include "kernels/timed_backend.h"

#include <chrono>

namespace bifrons {

template <typename Run>
void TimedBackend::timed(Op op, Run run) {
  const auto start = std::chrono::steady_clock::now();
  run();
  inner_.synchronize();
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
  seconds_[static_cast<size_t>(op)] += took.count();
}

void TimedBackend::do_gather(const Tensor& y, const Table& table, const Tensor& ids) {
  timed(Op::kGather, [&] { inner_.gather(y, table, ids); });
}
void TimedBackend::do_rms_norm(const Tensor& y, const Tensor& x, const Norm& norm, double eps) {
  timed(Op::kRmsNorm, [&] { inner_.rms_norm(y, x, norm, eps); });
}
void TimedBackend::do_layer_norm(const Tensor& y, const Tensor& x, const Norm& norm, double eps) {
  timed(Op::kLayerNorm, [&] { inner_.layer_norm(y, x, norm, eps); });
}
void TimedBackend::do_linear(const Tensor& y, const Tensor& x, const Linear& weight, bool add) {
  if (add) {
    timed(Op::kLinearAdd, [&] { inner_.linear_add(y, x, weight); });
  } else {
    timed(Op::kLinear, [&] { inner_.linear(y, x, weight); });
  }
}
void TimedBackend::do_rope_append(const Tensor& q, const KvCache& cache, const Tensor& qkv,
                                  const RopeTable& rope, const TokenRows& rows) {
  timed(Op::kRopeAppend, [&] { inner_.rope_append(q, cache, qkv, rope, rows); });
}
void TimedBackend::do_attention(const Tensor& y, const Tensor& q, const KvCache& cache,
                                const TokenRows& rows) {
  timed(Op::kAttention, [&] { inner_.attention(y, q, cache, rows); });
}
void TimedBackend::do_swiglu(const Tensor& y, const Tensor& gate_up) {
  timed(Op::kSwiglu, [&] { inner_.swiglu(y, gate_up); });
}
void TimedBackend::do_gelu(const Tensor& y, const Tensor& x) {
  timed(Op::kGelu, [&] { inner_.gelu(y, x); });
}
void TimedBackend::do_guide(const Tensor& guided, const Tensor& logits, const Tensor& scale) {
  timed(Op::kGuide, [&] { inner_.guide(guided, logits, scale); });
}
void TimedBackend::do_sample(const Tensor& ids, const Tensor& guided,
                             const SampleControls& controls) {
  timed(Op::kSample, [&] { inner_.sample(ids, guided, controls); });
}
void TimedBackend::do_force_ids(const Tensor& ids, const Tensor& forced, const Tensor& step) {
  timed(Op::kForceIds, [&] { inner_.force_ids(ids, forced, step); });
}
void TimedBackend::do_record_ids(const Tensor& ring, const Tensor& ids, const Tensor& step) {
  timed(Op::kRecordIds, [&] { inner_.record_ids(ring, ids, step); });
}
void TimedBackend::do_advance(const Tensor& counters) {
  timed(Op::kAdvance, [&] { inner_.advance(counters); });
}
void TimedBackend::do_group_norm(const Tensor& y, const Tensor& x, const Norm& norm, int64_t groups,
                                 double eps, bool silu) {
  timed(Op::kGroupNorm, [&] { inner_.group_norm(y, x, norm, groups, eps, silu); });
}
void TimedBackend::do_conv2d(const Tensor& y, const Tensor& x, const Convolution& weight,
                             const Tensor* residual) {
  if (residual != nullptr) {
    timed(Op::kConv2dAdd, [&] { inner_.conv2d_add(y, x, weight, *residual); });
  } else {
    timed(Op::kConv2d, [&] { inner_.conv2d(y, x, weight); });
  }
}
void TimedBackend::do_upsample2x(const Tensor& y, const Tensor& x) {
  timed(Op::kUpsample2x, [&] { inner_.upsample2x(y, x); });
}
void TimedBackend::do_full_attention(const Tensor& y, const Tensor& q, const Tensor& k,
                                     const Tensor& v, int64_t heads) {
  timed(Op::kFullAttention, [&] { inner_.full_attention(y, q, k, v, heads); });
}
void TimedBackend::do_to_pixels(const Tensor& pixels, const Tensor& x, const Tensor& not_finite) {
  timed(Op::kToPixels, [&] { inner_.to_pixels(pixels, x, not_finite); });
}

}  // namespace bifrons
