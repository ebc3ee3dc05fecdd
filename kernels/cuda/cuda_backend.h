// Backend that computes on one NVIDIA GPU.
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
  Convolution make_convolution(const HostArray& weight, const HostArray& bias, int64_t kernel,
                               Padding padding) override;
  Norm make_norm(const HostArray& weight, const HostArray* bias) override;
  Table make_table(const HostArray& rows) override;

  // Makes this GPU the calling thread's current one and returns the stream.
  Stream& on_card();

 private:
  void do_copy(const Tensor& to, const Tensor& from) override;
  void do_gather(const Tensor& y, const Table& table, const Tensor& ids) override;
  void do_rms_norm(const Tensor& y, const Tensor& x, const Norm& norm, double eps) override;
  void do_layer_norm(const Tensor& y, const Tensor& x, const Norm& norm, double eps) override;
  void do_linear(const Tensor& y, const Tensor& x, const Linear& weight, bool add) override;
  void do_rope_append(const Tensor& q, const KvCache& cache, const Tensor& qkv,
                      const RopeTable& rope, const TokenRows& rows) override;
  void do_attention(const Tensor& y, const Tensor& q, const KvCache& cache,
                    const TokenRows& rows) override;
  void do_swiglu(const Tensor& y, const Tensor& gate_up) override;
  bool do_norm_linear_rope(const Tensor& q, const KvCache& cache, const Tensor& x, const Norm& norm,
                           double eps, const Linear& weight, const RopeTable& rope,
                           const TokenRows& rows) override;
  bool do_norm_linear_swiglu(const Tensor& y, const Tensor& x, const Norm& norm, double eps,
                             const Linear& weight) override;
  void do_gelu(const Tensor& y, const Tensor& x) override;
  void do_guide(const Tensor& guided, const Tensor& logits, const Tensor& scale) override;
  void do_sample(const Tensor& ids, const Tensor& guided, const SampleControls& controls) override;
  bool do_guide_sample(const Tensor& ids, const Tensor& guided, const Tensor& logits,
                       const Tensor& scale, const SampleControls& controls) override;
  bool do_finish_step(const Tensor& ids, const Tensor& forced, const Tensor& ring,
                      const Tensor& step, const Tensor& position) override;
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

  Buffer widened(std::span<const HostArray> parts);

  int device_;
  std::string description_;
  PdlMode pdl_;
  Stream stream_;
  CudnnConvolutions cudnn_;  // destroyed before its stream
};

}  // namespace bifrons::cuda
