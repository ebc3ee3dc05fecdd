// Backend that computes on the cores of this machine. Every op is one call of its function (ops.h).
#pragma once

#include <string>

#include "kernels/backend.h"
#include "kernels/cpu/convolution.h"
#include "kernels/cpu/gemm_onednn.h"
#include "kernels/cpu/isa.h"
#include "kernels/cpu/linear.h"
#include "kernels/cpu/ops.h"
#include "kernels/cpu/quantised_linear.h"
#include "kernels/cpu/thread_pool.h"

namespace bifrons::cpu {

class CpuBackend final : public Backend {
 public:
  CpuBackend(int threads, const InstructionSet& isa);

  std::string_view name() const override { return "cpu"; }
  std::string_view description() const override { return description_; }
  MemorySpace memory_space() const override { return MemorySpace::kHost; }

  Buffer allocate(int64_t bytes) override;
  void upload(const Tensor& to, const void* host) override;
  void download(void* host, const Tensor& from) override;

  Linear make_linear(std::span<const HostArray> parts, std::span<const HostArray> bias) override;
  Linear make_quantised_linear(std::span<const QuantisedArray> parts,
                               std::span<const HostArray> bias) override;
  Convolution make_convolution(const HostArray& weight, const HostArray& bias, int64_t kernel,
                               Padding padding) override;
  Norm make_norm(const HostArray& weight, const HostArray* bias) override;
  Table make_table(const HostArray& rows) override;

 private:
  void do_gather(const Tensor& y, const Table& table, const Tensor& ids) override {
    cpu::gather(y, table, ids);
  }
  void do_rms_norm(const Tensor& y, const Tensor& x, const Norm& norm, double eps) override {
    cpu::rms_norm(y, x, norm, eps);
  }
  void do_layer_norm(const Tensor& y, const Tensor& x, const Norm& norm, double eps) override {
    cpu::layer_norm(pool_, y, x, norm, eps);
  }
  void do_linear(const Tensor& y, const Tensor& x, const Linear& weight, bool add) override {
    if (weight.format == LinearFormat::kStored) return linear_.run(pool_, y, x, weight, add);
    quantised_.run(pool_, y, x, weight, add);
  }
  void do_rope_append(const Tensor& q, const KvCache& cache, const Tensor& qkv,
                      const RopeTable& rope, const TokenRows& rows) override {
    cpu::rope_append(pool_, q, cache, qkv, rope, rows);
  }
  void do_attention(const Tensor& y, const Tensor& q, const KvCache& cache,
                    const TokenRows& rows) override {
    cpu::attention(pool_, isa_, y, q, cache, rows);
  }
  void do_swiglu(const Tensor& y, const Tensor& gate_up) override {
    cpu::swiglu(pool_, y, gate_up);
  }
  void do_gelu(const Tensor& y, const Tensor& x) override { cpu::gelu(pool_, y, x); }
  void do_guide(const Tensor& guided, const Tensor& logits, const Tensor& scale) override {
    cpu::guide(pool_, guided, logits, scale);
  }
  void do_sample(const Tensor& ids, const Tensor& guided, const SampleControls& controls) override {
    cpu::sample(pool_, ids, guided, controls);
  }
  void do_force_ids(const Tensor& ids, const Tensor& forced, const Tensor& step) override {
    cpu::force_ids(ids, forced, step);
  }
  void do_record_ids(const Tensor& ring, const Tensor& ids, const Tensor& step) override {
    cpu::record_ids(ring, ids, step);
  }
  void do_advance(const Tensor& counters) override { cpu::advance(counters); }
  void do_accept_drafts(const DraftWindows& windows, const Tensor& ids) override {
    cpu::accept_drafts(windows, ids);
  }
  // Several pictures are computed one after another: a picture alone keeps all cores busy.
  void do_group_norm(const Tensor& y, const Tensor& x, const Norm& norm, int64_t groups, double eps,
                     bool silu) override;
  void do_conv2d(const Tensor& y, const Tensor& x, const Convolution& weight,
                 const Tensor* residual) override;
  void do_upsample2x(const Tensor& y, const Tensor& x) override;
  void do_full_attention(const Tensor& y, const Tensor& q, const Tensor& k, const Tensor& v,
                         int64_t heads) override;
  void do_to_pixels(const Tensor& pixels, const Tensor& x, const Tensor& not_finite) override;

  const InstructionSet& isa_;
  ThreadPool pool_;
  LinearRunner linear_;
  QuantisedRunner quantised_;
  Convolutions convolutions_;
  OnednnGemm gemm_;
  std::string description_;
};

}  // namespace bifrons::cpu
