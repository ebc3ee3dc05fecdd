// Forwards every op.
#include "tests/support/forwarding_backend.h"

namespace bifrons {

void ForwardingBackend::do_gather(const Tensor& y, const Table& table, const Tensor& ids) {
  inner_.gather(y, table, ids);
}
void ForwardingBackend::do_rms_norm(const Tensor& y, const Tensor& x, const Norm& norm,
                                    double eps) {
  inner_.rms_norm(y, x, norm, eps);
}
void ForwardingBackend::do_layer_norm(const Tensor& y, const Tensor& x, const Norm& norm,
                                      double eps) {
  inner_.layer_norm(y, x, norm, eps);
}
void ForwardingBackend::do_linear(const Tensor& y, const Tensor& x, const Linear& weight,
                                  bool add) {
  if (add) {
    inner_.linear_add(y, x, weight);
  } else {
    inner_.linear(y, x, weight);
  }
}
void ForwardingBackend::do_rope_append(const Tensor& q, const KvCache& cache, const Tensor& qkv,
                                       const RopeTable& rope, const TokenRows& rows) {
  inner_.rope_append(q, cache, qkv, rope, rows);
}
void ForwardingBackend::do_attention(const Tensor& y, const Tensor& q, const KvCache& cache,
                                     const TokenRows& rows) {
  inner_.attention(y, q, cache, rows);
}
void ForwardingBackend::do_swiglu(const Tensor& y, const Tensor& gate_up) {
  inner_.swiglu(y, gate_up);
}
void ForwardingBackend::do_gelu(const Tensor& y, const Tensor& x) { inner_.gelu(y, x); }
void ForwardingBackend::do_guide(const Tensor& guided, const Tensor& logits, const Tensor& scale) {
  inner_.guide(guided, logits, scale);
}
void ForwardingBackend::do_sample(const Tensor& ids, const Tensor& guided,
                                  const SampleControls& controls) {
  inner_.sample(ids, guided, controls);
}
void ForwardingBackend::do_force_ids(const Tensor& ids, const Tensor& forced, const Tensor& step) {
  inner_.force_ids(ids, forced, step);
}
void ForwardingBackend::do_record_ids(const Tensor& ring, const Tensor& ids, const Tensor& step) {
  inner_.record_ids(ring, ids, step);
}
void ForwardingBackend::do_advance(const Tensor& counters) { inner_.advance(counters); }
void ForwardingBackend::do_accept_drafts(const DraftWindows& windows, const Tensor& ids) {
  inner_.accept_drafts(windows, ids);
}
void ForwardingBackend::do_group_norm(const Tensor& y, const Tensor& x, const Norm& norm,
                                      int64_t groups, double eps, bool silu) {
  inner_.group_norm(y, x, norm, groups, eps, silu);
}
void ForwardingBackend::do_conv2d(const Tensor& y, const Tensor& x, const Convolution& weight,
                                  const Tensor* residual) {
  if (residual != nullptr) {
    inner_.conv2d_add(y, x, weight, *residual);
  } else {
    inner_.conv2d(y, x, weight);
  }
}
void ForwardingBackend::do_upsample2x(const Tensor& y, const Tensor& x) { inner_.upsample2x(y, x); }
void ForwardingBackend::do_full_attention(const Tensor& y, const Tensor& q, const Tensor& k,
                                          const Tensor& v, int64_t heads) {
  inner_.full_attention(y, q, k, v, heads);
}
void ForwardingBackend::do_to_pixels(const Tensor& pixels, const Tensor& x,
                                     const Tensor& not_finite) {
  inner_.to_pixels(pixels, x, not_finite);
}

}  // namespace bifrons
