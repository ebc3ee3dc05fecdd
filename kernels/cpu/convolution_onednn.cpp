// Convolution by oneDNN (API 2.x), one single-threaded primitive per band of rows. Our thread pool
// runs the bands: oneDNN's OpenMP threads would spin next to the pool between convolutions.

#include <algorithm>
#include <compare>
#include <map>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include "kernels/cpu/convolution.h"
#include "kernels/cpu/convolution_bands.h"
#include "kernels/cpu/memory.h"
#include "kernels/cpu/onednn.h"
#include "kernels/cpu/openmp_threads.h"
#include "kernels/cpu/vectorise.h"
#include "kernels/elements.h"

namespace bifrons::cpu {
namespace {

using Format = dnnl::memory::format_tag;
using Type = dnnl::memory::data_type;

constexpr int64_t kBandPixels = 2304;

Type type_of(DType dtype) { return dtype == DType::kBf16 ? Type::bf16 : Type::f32; }

// Key of a plan: everything that it depends on.
struct PlanKey {
  int64_t id = 0;
  int64_t height = 0;
  int64_t width = 0;
  DType dtype = DType::kF32;
  auto operator<=>(const PlanKey&) const = default;
};

// A primitive for bands of one shape.
struct BandPlan {
  Band shape;  // key: rows, input_rows, above, below; the rest is that of the first such band
  dnnl::convolution_forward primitive;
  dnnl::memory::desc source, destination, scratch;
  dnnl::memory weight;
};

struct Plan {
  DType compute = DType::kF32;
  std::vector<Band> bands;
  std::vector<size_t> plan_of_band;  // index into `shapes`
  std::vector<BandPlan> shapes;
  int64_t scratch_bytes = 0;
  int64_t widened_elements = 0;  // f32 elements of x and y of a band; 0 if x has dtype `compute`
};

// Per-thread memory while it computes a band.
struct Workspace {
  dnnl::stream stream;
  Buffer scratch;
  std::vector<float> widened;

  explicit Workspace(const dnnl::engine& engine) : stream(engine) {}
};

// oneDNN splits work by the OpenMP setting of the calling thread, both when it plans and when it
// runs.
void use_one_thread() {
  if (omp_get_max_threads() != 1) omp_set_num_threads(1);
}

bool same_shape(const Band& a, const Band& b) {
  return a.rows == b.rows && a.input_rows == b.input_rows && a.above == b.above &&
         a.below == b.below;
}

void widen(float* to, const Bf16* from, int64_t n) {
  vectorised([=]() __attribute__((always_inline)) {
    for (int64_t i = 0; i < n; ++i) to[i] = to_float(from[i]);
  });
}

void narrow(Bf16* to, const float* from, int64_t n) {
  vectorised([=]() __attribute__((always_inline)) {
    for (int64_t i = 0; i < n; ++i) to[i] = to_bf16(from[i]);
  });
}

}  // namespace

struct Convolutions::State {
  dnnl::engine engine{dnnl::engine::kind::cpu, 0};
  int64_t next_id = 0;
  std::map<PlanKey, Plan> plans;
  std::unordered_map<int64_t, std::vector<dnnl::memory>> reordered;  // weights, by convolution
  std::mutex mutex;                                                  // guards idle
  std::vector<std::unique_ptr<Workspace>> idle;

  const Plan& plan(const Tensor& y, const Tensor& x, const Convolution& weight);
  BandPlan plan_band(const Band& band, DType compute, int64_t width, int64_t out_width,
                     const Convolution& weight);
  dnnl::memory weight_as(const dnnl::memory::desc& wanted, const Convolution& weight);
  std::unique_ptr<Workspace> take(const Plan& plan);
  void run_band(const Plan& plan, size_t index, const Tensor& y, const Tensor& x,
                const Convolution& weight, const Tensor* residual);
};

// The weights in the format that a primitive needs. Plans with equal formats share them.
dnnl::memory Convolutions::State::weight_as(const dnnl::memory::desc& wanted,
                                            const Convolution& weight) {
  std::vector<dnnl::memory>& known = reordered[weight.id];
  for (const dnnl::memory& memory : known) {
    if (memory.get_desc() == wanted) return memory;
  }
  const Type type = wanted.data_type() == Type::bf16 ? Type::bf16 : Type::f32;
  const dnnl::memory::desc stored({weight.out, weight.in, weight.kernel, weight.kernel}, type,
                                  Format::oihw);
  void* data = weight.storage.data();
  std::vector<float> wide;
  if (weight.dtype == DType::kBf16 && type == Type::f32) {
    wide.resize(weight.out * weight.in * weight.kernel * weight.kernel);
    widen(wide.data(), static_cast<const Bf16*>(data), static_cast<int64_t>(wide.size()));
    data = wide.data();
  }
  dnnl::memory from(stored, engine, data);
  dnnl::memory to(wanted, engine);
  dnnl::stream stream(engine);
  dnnl::reorder(from, to).execute(stream, from, to);
  stream.wait();
  known.push_back(to);
  return to;
}

BandPlan Convolutions::State::plan_band(const Band& band, DType compute, int64_t width,
                                        int64_t out_width, const Convolution& weight) {
  require_memory(kPlanningMemory);
  const Taps taps(weight);
  const Type type = type_of(compute);
  const int64_t k = weight.kernel;
  const int64_t right = (out_width - 1) * taps.stride + k - taps.before - width;
  const dnnl::memory::desc source({1, weight.in, band.input_rows, width}, type, Format::nhwc);
  const dnnl::memory::desc target({1, weight.out, band.rows, out_width}, type, Format::nhwc);
  const dnnl::memory::desc weights({weight.out, weight.in, k, k}, type, Format::any);
  const dnnl::memory::desc bias({weight.out}, Type::f32, Format::x);
  dnnl::primitive_attr attributes;
  attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  const dnnl::convolution_forward::desc operation(
      dnnl::prop_kind::forward_inference, dnnl::algorithm::convolution_direct, source, weights,
      bias, target, {taps.stride, taps.stride}, {band.above, taps.before},
      {band.below, std::max<int64_t>(right, 0)});
  const dnnl::convolution_forward::primitive_desc chosen(operation, attributes, engine);
  return {.shape = band,
          .primitive = dnnl::convolution_forward(chosen),
          .source = source,
          .destination = target,
          .scratch = chosen.scratchpad_desc(),
          .weight = weight_as(chosen.weights_desc(), weight)};
}

const Plan& Convolutions::State::plan(const Tensor& y, const Tensor& x, const Convolution& weight) {
  const PlanKey key{weight.id, x.shape[0], x.shape[1], x.dtype};
  if (const auto known = plans.find(key); known != plans.end()) return known->second;
  Plan plan;
  // A product of two bf16 is exact in oneDNN's f32 accumulator. Weights of other types are computed
  // in f32, so that they keep their precision.
  const bool narrow_both =
      x.dtype == DType::kBf16 && weight.dtype == DType::kBf16 && onednn_knows_bf16();
  plan.compute = narrow_both ? DType::kBf16 : DType::kF32;
  plan.bands = cut_bands(Taps(weight), x.shape[0], y.shape[0], y.shape[1], kBandPixels);
  for (const Band& band : plan.bands) {
    size_t at = 0;
    while (at < plan.shapes.size() && !same_shape(plan.shapes[at].shape, band)) ++at;
    if (at == plan.shapes.size()) {
      plan.shapes.push_back(plan_band(band, plan.compute, x.shape[1], y.shape[1], weight));
      const int64_t scratch = static_cast<int64_t>(plan.shapes[at].scratch.get_size());
      plan.scratch_bytes = std::max(plan.scratch_bytes, scratch);
    }
    plan.plan_of_band.push_back(at);
    if (plan.compute != x.dtype) {
      plan.widened_elements =
          std::max(plan.widened_elements,
                   band.input_rows * x.shape[1] * weight.in + band.rows * y.shape[1] * weight.out);
    }
  }
  return plans.emplace(key, std::move(plan)).first->second;
}

std::unique_ptr<Workspace> Convolutions::State::take(const Plan& plan) {
  std::unique_ptr<Workspace> workspace;
  {
    const std::lock_guard lock(mutex);
    if (!idle.empty()) {
      workspace = std::move(idle.back());
      idle.pop_back();
    }
  }
  if (!workspace) workspace = std::make_unique<Workspace>(engine);
  if (workspace->scratch.bytes() < plan.scratch_bytes) {
    workspace->scratch = allocate_host(plan.scratch_bytes);
  }
  if (static_cast<int64_t>(workspace->widened.size()) < plan.widened_elements) {
    workspace->widened.resize(plan.widened_elements);
  }
  return workspace;
}

void Convolutions::State::run_band(const Plan& plan, size_t index, const Tensor& y, const Tensor& x,
                                   const Convolution& weight, const Tensor* residual) {
  use_one_thread();
  std::unique_ptr<Workspace> workspace = take(plan);
  const Band& band = plan.bands[index];
  const BandPlan& shape = plan.shapes[plan.plan_of_band[index]];
  const int64_t x_count = band.input_rows * x.shape[1] * weight.in;
  const int64_t y_row = y.shape[1] * weight.out, y_count = band.rows * y_row;
  std::byte* from = x.row(band.input_first * x.shape[1]);
  std::byte* to = y.row(band.first * y.shape[1]);
  void *source = from, *target = to;
  if (plan.compute != x.dtype) {
    float* wide = workspace->widened.data();
    widen(wide, reinterpret_cast<const Bf16*>(from), x_count);
    source = wide;
    target = wide + x_count;
  }
  const dnnl::memory::desc bias({weight.out}, Type::f32, Format::x);
  shape.primitive.execute(
      workspace->stream,
      {{DNNL_ARG_SRC, {shape.source, engine, source}},
       {DNNL_ARG_WEIGHTS, shape.weight},
       {DNNL_ARG_BIAS, {bias, engine, weight.bias.data()}},
       {DNNL_ARG_DST, {shape.destination, engine, target}},
       {DNNL_ARG_SCRATCHPAD, {shape.scratch, engine, workspace->scratch.data()}}});
  workspace->stream.wait();
  if (target != to) {
    narrow(reinterpret_cast<Bf16*>(to), static_cast<const float*>(target), y_count);
  }
  // The residual is added while the band is still in this core's cache.
  if (residual) add_in_place(to, residual->row(band.first * y.shape[1]), y.dtype, y_count);
  const std::lock_guard lock(mutex);
  idle.push_back(std::move(workspace));
}

Convolutions::Convolutions() {
  with_onednn([this] { state_ = std::make_unique<State>(); });
}
Convolutions::~Convolutions() = default;

std::string_view Convolutions::library() { return "oneDNN"; }

Convolution Convolutions::make(const HostArray& weight, const HostArray& bias, int64_t kernel,
                               Padding padding) {
  Convolution result;
  result.out = weight.rows;
  result.in = weight.cols / (kernel * kernel);
  result.kernel = kernel;
  result.padding = padding;
  result.dtype = weight.dtype == DType::kBf16 ? DType::kBf16 : DType::kF32;
  result.id = state_->next_id++;
  const int64_t n = weight.rows * weight.cols;
  result.storage = allocate_host(n * size_of(result.dtype));
  if (weight.dtype == DType::kF16) {
    float* to = static_cast<float*>(result.storage.data());
    for (int64_t i = 0; i < n; ++i) to[i] = widened(weight, i);
  } else {
    std::copy_n(weight.data, n * size_of(weight.dtype),
                static_cast<std::byte*>(result.storage.data()));
  }
  result.bias = widened_bias(bias);
  return result;
}

void Convolutions::run(ThreadPool& pool, const Tensor& y, const Tensor& x,
                       const Convolution& weight, const Tensor* residual) {
  // The caller's OpenMP setting is restored at the end.
  const int caller_threads = omp_get_max_threads();
  use_one_thread();
  with_onednn([&] {
    const Plan& plan = state_->plan(y, x, weight);
    pool.run(static_cast<int64_t>(plan.bands.size()), [&](int64_t i) {
      state_->run_band(plan, static_cast<size_t>(i), y, x, weight, residual);
    });
  });
  omp_set_num_threads(caller_threads);
}

}  // namespace bifrons::cpu
