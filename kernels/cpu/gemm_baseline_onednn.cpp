// oneDNN's matmul (API 2.x) with weights packed beforehand, on OpenMP threads.

#include <algorithm>
#include <chrono>
#include <vector>

#include "kernels/cpu/gemm_baseline.h"
#include "kernels/cpu/onednn.h"
#include "kernels/cpu/openmp_threads.h"
#include "kernels/cpu/thread_pool.h"
#include "kernels/threads.h"

namespace bifrons::cpu {
namespace {

using Desc = dnnl::memory::desc;
using Tag = dnnl::memory::format_tag;
using Type = dnnl::memory::data_type;

struct Product {
  dnnl::matmul primitive;
  dnnl::memory a, b, c;
};

// Filled with ones: results are never subnormal and do not grow.
dnnl::memory filled(const Desc& desc, const dnnl::engine& engine) {
  dnnl::memory memory(desc, engine);
  auto* values = static_cast<uint16_t*>(memory.get_data_handle());
  std::fill_n(values, desc.get_size() / 2, uint16_t{0x3f80});
  return memory;
}

}  // namespace

struct GemmBaseline::State {
  int threads = 1;
  dnnl::engine engine{dnnl::engine::kind::cpu, 0};
  std::vector<Product> products;

  void add(const Desc& a, const Desc& b, const Desc& c) {
    require_memory(kPlanningMemory);
    const int before = omp_get_max_threads();
    omp_set_num_threads(threads);
    const dnnl::matmul::primitive_desc chosen({a, b, c}, engine);
    products.push_back({dnnl::matmul(chosen), filled(chosen.src_desc(), engine),
                        filled(chosen.weights_desc(), engine), filled(chosen.dst_desc(), engine)});
    omp_set_num_threads(before);
  }
};

GemmBaseline::GemmBaseline(int threads) : state_(std::make_unique<State>()) {
  // OpenMP ends the process where it cannot start a thread.
  state_->threads = startable_threads(threads > 0 ? threads : available_cores());
}
GemmBaseline::~GemmBaseline() = default;

bool GemmBaseline::available() { return onednn_knows_bf16(); }

void GemmBaseline::add_linear(int64_t m, int64_t k, int64_t n) {
  state_->add(Desc({m, k}, Type::bf16, Tag::ab), Desc({k, n}, Type::bf16, Tag::any),
              Desc({m, n}, Type::bf16, Tag::ab));
}

void GemmBaseline::add_batch(int64_t batch, int64_t m, int64_t k, int64_t n) {
  state_->add(Desc({batch, m, k}, Type::bf16, Tag::abc), Desc({batch, k, n}, Type::bf16, Tag::abc),
              Desc({batch, m, n}, Type::bf16, Tag::abc));
}

double GemmBaseline::measure() {
  const int before = omp_get_max_threads();
  omp_set_num_threads(state_->threads);
  dnnl::stream stream(state_->engine);
  const auto start = std::chrono::steady_clock::now();
  for (const Product& p : state_->products) {
    p.primitive.execute(stream,
                        {{DNNL_ARG_SRC, p.a}, {DNNL_ARG_WEIGHTS, p.b}, {DNNL_ARG_DST, p.c}});
  }
  stream.wait();
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
  omp_set_num_threads(before);
  return took.count();
}

}  // namespace bifrons::cpu
