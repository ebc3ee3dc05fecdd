// Backend that computes on one NVIDIA GPU. Every op is one call of its function (ops.h).
#pragma once

#include <string>

#include "kernels/backend.h"
#include "kernels/cuda/convolution_cudnn.h"
#include "kernels/cuda/graph.h"
#include "kernels/cuda/ops.h"

namespace bifrons::cuda {

// A backend does its work in order on its own stream. Several backends may share a GPU and each
// other's buffers; then they wait for each other with synchronize().
class CudaBackend final : public Backend {
 public:
  // Throws Error (unavailable) when the device cannot be used.
  CudaBackend(int device, bool low_priority, std::optional<bool> pdl);
  ~CudaBackend() override;
  CudaBackend(const CudaBackend&) = delete;
  CudaBackend& operator=(const CudaBackend&) = delete;

  std::string_view name() const override { return "cuda"; }
  std::string_view description() const override { return description_; }
  MemorySpace memory_space() const override { return MemorySpace::kDevice; }

  Buffer allocate(int64_t bytes) override;
  void upload(const Tensor& to, const void* host) override;
  void download(void* host, const Tensor& from) override;
  std::optional<int64_t> free_bytes() override;
  Buffer allocate_shared(int64_t bytes) override;
  void synchronize() override;
  std::unique_ptr<Event> record_event() override;
  std::unique_ptr<CapturedStep> capture(std::function<void()> step) override;

  Linear make_linear(std::span<const HostArray> parts, std::span<const HostArray> bias) override;
  Linear make_quantised_linear(std::span<const QuantisedArray> parts,
                               std::span<const HostArray> bias) override;
  Convolution make_convolution(const HostArray& weight, const HostArray& bias, int64_t kernel,
                               Padding padding) override;
  Norm make_norm(const HostArray& weight, const HostArray* bias) override;
  Table make_table(const HostArray& rows) override;

  // Makes this GPU the calling thread's current one and returns the stream.
  Stream& on_card();

 private:
  void do_copy(const Tensor& to, const Tensor& from) override;
  void do_gather(const Tensor& y, const Table& table, const Tensor& ids) override {
    cuda::gather(on_card(), y, table, ids);
  }
  void do_rms_norm(const Tensor& y, const Tensor& x, const Norm& norm, double eps) override {
    cuda::rms_norm(on_card(), y, x, norm, eps);
  }
  void do_layer_norm(const Tensor& y, const Tensor& x, const Norm& norm, double eps) override {
    cuda::layer_norm(on_card(), y, x, norm, eps);
  }
  void do_linear(const Tensor& y, const Tensor& x, const Linear& weight, bool add) override {
    cuda::linear(on_card(), y, x, weight, add);
  }
  void do_rope_append(const Tensor& q, const KvCache& cache, const Tensor& qkv,
                      const RopeTable& rope, const TokenRows& rows) override {
    cuda::rope_append(on_card(), q, cache, qkv, rope, rows);
  }
  void do_attention(const Tensor& y, const Tensor& q, const KvCache& cache,
                    const TokenRows& rows) override {
    cuda::attention(on_card(), y, q, cache, rows);
  }
  void do_swiglu(const Tensor& y, const Tensor& gate_up) override {
    cuda::swiglu(on_card(), y, gate_up);
  }
  bool do_norm_linear_rope(const Tensor& q, const KvCache& cache, const Tensor& x, const Norm& norm,
                           double eps, const Linear& weight, const RopeTable& rope,
                           const TokenRows& rows) override {
    return cuda::norm_linear_rope(on_card(), q, cache, x, norm, eps, weight, rope, rows);
  }
  bool do_norm_linear_swiglu(const Tensor& y, const Tensor& x, const Norm& norm, double eps,
                             const Linear& weight) override {
    return cuda::norm_linear_swiglu(on_card(), y, x, norm, eps, weight);
  }
  bool do_norm_linear_gelu(const Tensor& y, const Tensor& x, const Norm& norm, double eps,
                           const Linear& weight) override {
    return cuda::norm_linear_gelu(on_card(), y, x, norm, eps, weight);
  }
  bool do_linear_rope(const Tensor& q, const KvCache& cache, const Tensor& x, const Linear& weight,
                      const RopeTable& rope, const TokenRows& rows) override {
    return cuda::linear_rope(on_card(), q, cache, x, weight, rope, rows);
  }
  bool do_linear_swiglu(const Tensor& y, const Tensor& x, const Linear& weight) override {
    return cuda::linear_swiglu(on_card(), y, x, weight);
  }
  void do_gelu(const Tensor& y, const Tensor& x) override { cuda::gelu(on_card(), y, x); }
  void do_guide(const Tensor& guided, const Tensor& logits, const Tensor& scale) override {
    cuda::guide(on_card(), guided, logits, scale);
  }
  void do_sample(const Tensor& ids, const Tensor& guided, const SampleControls& controls) override {
    cuda::sample(on_card(), ids, guided, controls);
  }
  bool do_guide_sample(const Tensor& ids, const Tensor& guided, const Tensor& logits,
                       const Tensor& scale, const SampleControls& controls) override {
    cuda::guide_sample(on_card(), ids, guided, logits, scale, controls);
    return true;
  }
  bool do_finish_step(const Tensor& ids, const Tensor& forced, const Tensor& ring,
                      const Tensor& step, const Tensor& position) override {
    cuda::finish_step(on_card(), ids, forced, ring, step, position);
    return true;
  }
  void do_force_ids(const Tensor& ids, const Tensor& forced, const Tensor& step) override {
    cuda::force_ids(on_card(), ids, forced, step);
  }
  void do_record_ids(const Tensor& ring, const Tensor& ids, const Tensor& step) override {
    cuda::record_ids(on_card(), ring, ids, step);
  }
  void do_advance(const Tensor& counters) override { cuda::advance(on_card(), counters); }
  void do_accept_drafts(const DraftWindows& windows, const Tensor& ids) override {
    cuda::accept_drafts(on_card(), windows, ids);
  }
  void do_group_norm(const Tensor& y, const Tensor& x, const Norm& norm, int64_t groups, double eps,
                     bool silu) override {
    cuda::group_norm(on_card(), y, x, norm, groups, eps, silu);
  }
  void do_conv2d(const Tensor& y, const Tensor& x, const Convolution& weight,
                 const Tensor* residual) override {
    const bool library = weight.id >= 0 && x.dtype == DType::kBf16;
    if (library && cudnn_.run(on_card(), y, x, weight, residual)) return;
    cuda::convolution(on_card(), y, x, weight, residual);
  }
  void do_upsample2x(const Tensor& y, const Tensor& x) override {
    cuda::upsample2x(on_card(), y, x);
  }
  void do_full_attention(const Tensor& y, const Tensor& q, const Tensor& k, const Tensor& v,
                         int64_t heads) override {
    cuda::full_attention(on_card(), y, q, k, v, heads);
  }
  void do_to_pixels(const Tensor& pixels, const Tensor& x, const Tensor& not_finite) override {
    cuda::to_pixels(on_card(), pixels, x, not_finite);
  }

  Buffer widened(std::span<const HostArray> parts);

  int device_;
  std::string description_;
  PdlMode pdl_;
  Stream stream_;
  CudnnConvolutions cudnn_;  // destroyed before its stream
};

}  // namespace bifrons::cuda
