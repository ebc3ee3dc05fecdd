// GEMM by oneDNN (API 2.x), one single-threaded primitive per shape.
#include "kernels/cpu/gemm_onednn.h"

#include <map>
#include <mutex>
#include <oneapi/dnnl/dnnl.hpp>
#include <vector>

#include "kernels/cpu/memory.h"
#include "kernels/cpu/onednn.h"
#include "kernels/cpu/openmp_threads.h"

namespace bifrons::cpu {
namespace {

using Type = dnnl::memory::data_type;

// oneDNN splits work by the OpenMP setting of the calling thread, both when it plans and when it
// runs.
class OneThread {
 public:
  OneThread() : before_(omp_get_max_threads()) { omp_set_num_threads(1); }
  ~OneThread() { omp_set_num_threads(before_); }
  OneThread(const OneThread&) = delete;
  OneThread& operator=(const OneThread&) = delete;

 private:
  int before_;
};

struct Plan {
  dnnl::memory::desc a, b, c, scratch;
  dnnl::matmul primitive;
};

}  // namespace

struct OnednnGemm::State {
  dnnl::engine engine{dnnl::engine::kind::cpu, 0};
  std::mutex mutex;
  std::map<GemmShape, Plan> plans;  // std::map: addresses stay valid when it grows
  std::vector<Buffer> idle;         // scratch memory that is not in use

  const Plan& plan(const GemmShape& shape) {
    const std::lock_guard lock(mutex);
    if (const auto known = plans.find(shape); known != plans.end()) return known->second;
    require_memory(kPlanningMemory);
    using Strides = dnnl::memory::dims;
    const auto [m, k, n, a_pitch, b_pitch, b_transposed, c, c_pitch] = shape;
    const dnnl::memory::desc a_desc({m, k}, Type::bf16, Strides{a_pitch, 1});
    const dnnl::memory::desc b_desc({k, n}, Type::bf16,
                                    b_transposed ? Strides{1, b_pitch} : Strides{b_pitch, 1});
    const dnnl::memory::desc c_desc({m, n}, c == DType::kBf16 ? Type::bf16 : Type::f32,
                                    Strides{c_pitch, 1});
    dnnl::primitive_attr attributes;
    attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
    const dnnl::matmul::primitive_desc chosen({a_desc, b_desc, c_desc}, attributes, engine);
    Plan made{a_desc, b_desc, c_desc, chosen.scratchpad_desc(), dnnl::matmul(chosen)};
    return plans.emplace(shape, std::move(made)).first->second;
  }

  Buffer take(int64_t bytes) {
    Buffer scratch;
    {
      const std::lock_guard lock(mutex);
      if (!idle.empty()) {
        scratch = std::move(idle.back());
        idle.pop_back();
      }
    }
    if (scratch.bytes() < bytes) scratch = allocate_host(bytes);
    return scratch;
  }
};

OnednnGemm::OnednnGemm() {
  with_onednn([this] { state_ = std::make_unique<State>(); });
}
OnednnGemm::~OnednnGemm() = default;

// Without AMX, oneDNN's bf16 GEMM is slower than our f32 loops.
bool OnednnGemm::available() {
  return dnnl::get_effective_cpu_isa() == dnnl::cpu_isa::avx512_core_amx;
}

void OnednnGemm::run(const GemmShape& shape, const void* a, const void* b, void* c) {
  const OneThread one_thread;
  Buffer scratch;
  with_onednn([&] {
    const Plan& plan = state_->plan(shape);
    scratch = state_->take(static_cast<int64_t>(plan.scratch.get_size()));
    const dnnl::engine& engine = state_->engine;
    dnnl::stream stream(engine);
    plan.primitive.execute(stream, {{DNNL_ARG_SRC, {plan.a, engine, const_cast<void*>(a)}},
                                    {DNNL_ARG_WEIGHTS, {plan.b, engine, const_cast<void*>(b)}},
                                    {DNNL_ARG_DST, {plan.c, engine, c}},
                                    {DNNL_ARG_SCRATCHPAD, {plan.scratch, engine, scratch.data()}}});
    stream.wait();
  });
  const std::lock_guard lock(state_->mutex);
  state_->idle.push_back(std::move(scratch));
}

}  // namespace bifrons::cpu
