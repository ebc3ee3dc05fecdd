// A backend that forwards every op to another one. Tests derive from it to observe or break ops.
#pragma once

#include "kernels/backend.h"

namespace bifrons {

// Forwards to `inner`, which must outlive it. It has no fused kernels, so the parts of fused ops
// also pass through it.
class ForwardingBackend : public Backend {
 public:
  explicit ForwardingBackend(Backend& inner) : inner_(inner) {}

  std::string_view name() const override { return inner_.name(); }
  std::string_view description() const override { return inner_.description(); }
  MemorySpace memory_space() const override { return inner_.memory_space(); }
  Buffer allocate(int64_t bytes) override { return inner_.allocate(bytes); }
  void upload(const Tensor& to, const void* host) override { inner_.upload(to, host); }
  void download(void* host, const Tensor& from) override { inner_.download(host, from); }
  Buffer allocate_shared(int64_t bytes) override { return inner_.allocate_shared(bytes); }
  void synchronize() override { inner_.synchronize(); }
  std::unique_ptr<Event> record_event() override { return inner_.record_event(); }
  Linear make_linear(std::span<const HostArray> parts, std::span<const HostArray> bias) override {
    return inner_.make_linear(parts, bias);
  }
  Linear make_quantised_linear(std::span<const QuantisedArray> parts,
                               std::span<const HostArray> bias) override {
    return inner_.make_quantised_linear(parts, bias);
  }
  Convolution make_convolution(const HostArray& weight, const HostArray& bias, int64_t kernel,
                               Padding padding) override {
    return inner_.make_convolution(weight, bias, kernel, padding);
  }
  Norm make_norm(const HostArray& weight, const HostArray* bias) override {
    return inner_.make_norm(weight, bias);
  }
  Table make_table(const HostArray& rows) override { return inner_.make_table(rows); }

 private:
  void do_copy(const Tensor& to, const Tensor& from) override { inner_.copy(to, from); }
  void do_gather(const Tensor& y, const Table& table, const Tensor& ids) override;
  void do_rms_norm(const Tensor& y, const Tensor& x, const Norm& norm, double eps) override;
  void do_layer_norm(const Tensor& y, const Tensor& x, const Norm& norm, double eps) override;
  void do_linear(const Tensor& y, const Tensor& x, const Linear& weight, bool add) override;
  void do_rope_append(const Tensor& q, const KvCache& cache, const Tensor& qkv,
                      const RopeTable& rope, const TokenRows& rows) override;
  void do_attention(const Tensor& y, const Tensor& q, const KvCache& cache,
                    const TokenRows& rows) override;
  void do_swiglu(const Tensor& y, const Tensor& gate_up) override;
  void do_gelu(const Tensor& y, const Tensor& x) override;
  void do_guide(const Tensor& guided, const Tensor& logits, const Tensor& scale) override;
  void do_sample(const Tensor& ids, const Tensor& guided, const SampleControls& controls) override;
  void do_force_ids(const Tensor& ids, const Tensor& forced, const Tensor& step) override;
  void do_record_ids(const Tensor& ring, const Tensor& ids, const Tensor& step) override;
  void do_advance(const Tensor& counters) override;
  void do_accept_drafts(const DraftWindows& windows, const Tensor& ids) override;
  void do_group_norm(const Tensor& y, const Tensor& x, const Norm& norm, int64_t groups, double eps,
                     bool silu) override;
  void do_conv2d(const Tensor& y, const Tensor& x, const Convolution& weight,
                 const Tensor* residual) override;
  void do_upsample2x(const Tensor& y, const Tensor& x) override;
  void do_full_attention(const Tensor& y, const Tensor& q, const Tensor& k, const Tensor& v,
                         int64_t heads) override;
  void do_to_pixels(const Tensor& pixels, const Tensor& x, const Tensor& not_finite) override;

  Backend& inner_;
};

}  // namespace bifrons
