// The public ops: they check their arguments and count the bytes and FLOPs.
#include "kernels/backend.h"

#include <utility>
#include <vector>

#include "kernels/call_checks.h"
#include "kernels/pictures.h"
#include "kernels/run_op.h"

namespace bifrons {
namespace {

struct Cost {
  int64_t bytes = 0;
  int64_t flops = 0;
};

Cost check_linear(const Checker& c, const Tensor& y, const Tensor& x, const Linear& weight) {
  c.activation("x", x);
  c.activation("y", y);
  c.equal("columns of x", x.cols(), "the input of the weight", weight.in);
  c.equal("columns of y", y.cols(), "the output of the weight", weight.out);
  c.equal("rows of x", x.rows(), "rows of y", y.rows());
  return {weight.matrix_bytes() + x.bytes() + y.bytes(), 2 * x.rows() * weight.out * weight.in};
}

void check_rms_norm(MemorySpace space, const Tensor& y, const Tensor& x, const Norm& norm) {
  const Checker c{"rms_norm", space};
  c.activation("x", x);
  c.activation("y", y);
  c.alike("x", x, "y", y);
  c.equal("columns of x", x.cols(), "the size of the norm", norm.size);
}

void check_rope_append(MemorySpace space, const Tensor& q, const KvCache& cache, const Tensor& qkv,
                       const RopeTable& rope, const TokenRows& rows) {
  const Checker c{"rope_append", space};
  c.activation("q", q);
  c.activation("qkv", qkv);
  c.cache(cache, q);
  c.rows(rows, q.rows());
  const int64_t size = cache.head_dim();
  require(qkv.dtype == q.dtype, "rope_append: qkv is {} but q is {}", name_of(qkv.dtype),
          name_of(q.dtype));
  c.equal("rows of qkv", qkv.rows(), "rows of q", q.rows());
  c.equal("columns of qkv", qkv.cols(), "columns of q, k and v",
          q.cols() + 2 * cache.kv_heads() * size);
  c.typed("cos", rope.cos, DType::kF32);
  c.typed("sin", rope.sin, DType::kF32);
  c.alike("cos", rope.cos, "sin", rope.sin);
  require(size % 2 == 0 && rope.cos.cols() == size / 2 && rope.cos.rows() >= cache.capacity(),
          "rope_append: cos is {}, which does not serve heads of {} at {} positions",
          shape_of(rope.cos), size, cache.capacity());
}

void check_swiglu(MemorySpace space, const Tensor& y, const Tensor& gate_up) {
  const Checker c{"swiglu", space};
  c.activation("y", y);
  c.activation("gate_up", gate_up);
  require(y.dtype == gate_up.dtype, "swiglu: gate_up is {} but y is {}", name_of(gate_up.dtype),
          name_of(y.dtype));
  c.equal("rows of gate_up", gate_up.rows(), "rows of y", y.rows());
  c.equal("columns of gate_up", gate_up.cols(), "twice the columns of y", 2 * y.cols());
}

// Number of cached positions that attention reads. The host cannot read positions that lie in
// device memory; then the whole cache is counted.
int64_t positions_attended(const KvCache& cache, const TokenRows& rows) {
  if (rows.position.space != MemorySpace::kHost) return rows.position.count() * cache.capacity();
  int64_t sum = 0;
  for (int64_t m = 0; m < rows.position.count(); ++m) sum += rows.position.as<int32_t>()[m] + 1;
  return sum;
}

Cost check_convolution(const Checker& c, const Tensor& y, const Tensor& x,
                       const Convolution& weight) {
  c.pictures("x", x);
  c.pictures("y", y);
  require(x.dtype == y.dtype, "{}: x is {} but y is {}", c.op, name_of(x.dtype), name_of(y.dtype));
  c.equal("dimensions of y", y.rank, "dimensions of x", x.rank);
  c.equal("pictures of y", picture_count(y), "pictures of x", picture_count(x));
  c.equal("channels of x", x.cols(), "the input of the weight", weight.in);
  c.equal("channels of y", y.cols(), "the output of the weight", weight.out);
  require((weight.kernel == 1) == (weight.padding == Padding::kNone) &&
              (weight.kernel == 1 || weight.kernel == 3),
          "{}: a kernel of {} does not go with this padding", c.op, weight.kernel);
  const int64_t stride = weight.padding == Padding::kRightBottom ? 2 : 1;
  const int height = x.rank - 3, width = x.rank - 2;
  c.equal("height of y", y.shape[height], "height of x over the stride", x.shape[height] / stride);
  c.equal("width of y", y.shape[width], "width of x over the stride", x.shape[width] / stride);
  const int64_t taps = weight.out * weight.in * weight.kernel * weight.kernel;
  return {taps * size_of(weight.dtype) + x.bytes() + y.bytes(), 2 * y.rows() * taps};
}

// Not captured: run() calls the step's function again.
class CalledAgain final : public CapturedStep {
 public:
  explicit CalledAgain(std::function<void()> step) : step_(std::move(step)) {}
  void run() override { step_(); }

 private:
  std::function<void()> step_;
};

}  // namespace

std::unique_ptr<CapturedStep> Backend::capture(std::function<void()> step) {
  check(step != nullptr, "capture: no step");
  return std::make_unique<CalledAgain>(std::move(step));
}

void Backend::copy(const Tensor& to, const Tensor& from) {
  Checker{"copy", memory_space()}.copyable(to, from);
  do_copy(to, from);
}

void Backend::do_copy(const Tensor& to, const Tensor& from) {
  std::vector<std::byte> row(from.cols() * size_of(from.dtype));
  for (int64_t r = 0; r < from.rows(); ++r) {
    download(row.data(), from.slice_rows(r, 1));
    upload(to.slice_rows(r, 1), row.data());
  }
}

void Backend::gather(const Tensor& y, const Table& table, const Tensor& ids) {
  const Checker c{"gather", memory_space()};
  c.activation("y", y);
  c.array("ids", ids, DType::kI32, y.rows());
  c.equal("columns of y", y.cols(), "columns of the table", table.cols);
  run(Op::kGather, y.count() * size_of(table.dtype) + y.bytes() + ids.bytes(), 0,
      [&] { do_gather(y, table, ids); });
}

void Backend::rms_norm(const Tensor& y, const Tensor& x, const Norm& norm, double eps) {
  check_rms_norm(memory_space(), y, x, norm);
  run(Op::kRmsNorm, x.bytes() + y.bytes() + norm.size * 4, 4 * x.count(),
      [&] { do_rms_norm(y, x, norm, eps); });
}

void Backend::layer_norm(const Tensor& y, const Tensor& x, const Norm& norm, double eps) {
  const Checker c{"layer_norm", memory_space()};
  c.activation("x", x);
  c.activation("y", y);
  c.alike("x", x, "y", y);
  c.equal("columns of x", x.cols(), "the size of the norm", norm.size);
  require(norm.bias.data() != nullptr || norm.size == 0, "layer_norm: the norm has no bias");
  run(Op::kLayerNorm, x.bytes() + y.bytes() + norm.size * 8, 8 * x.count(),
      [&] { do_layer_norm(y, x, norm, eps); });
}

void Backend::linear(const Tensor& y, const Tensor& x, const Linear& weight) {
  const Cost cost = check_linear({"linear", memory_space()}, y, x, weight);
  require(y.dtype == x.dtype || y.dtype == DType::kF32, "linear: x is {} but y is {}",
          name_of(x.dtype), name_of(y.dtype));
  run(Op::kLinear, cost.bytes, cost.flops, [&] { do_linear(y, x, weight, false); });
}

void Backend::linear_add(const Tensor& y, const Tensor& x, const Linear& weight) {
  const Cost cost = check_linear({"linear_add", memory_space()}, y, x, weight);
  require(y.dtype == x.dtype, "linear_add: x is {} but y is {}", name_of(x.dtype),
          name_of(y.dtype));
  run(Op::kLinearAdd, cost.bytes + y.bytes(), cost.flops + y.count(),
      [&] { do_linear(y, x, weight, true); });
}

void Backend::rope_append(const Tensor& q, const KvCache& cache, const Tensor& qkv,
                          const RopeTable& rope, const TokenRows& rows) {
  check_rope_append(memory_space(), q, cache, qkv, rope, rows);
  const int64_t appended = 2 * q.rows() * cache.position_bytes();
  run(Op::kRopeAppend, qkv.bytes() + q.bytes() + appended,
      3 * (qkv.count() - q.rows() * cache.kv_heads() * cache.head_dim()),
      [&] { do_rope_append(q, cache, qkv, rope, rows); });
}

void Backend::attention(const Tensor& y, const Tensor& q, const KvCache& cache,
                        const TokenRows& rows) {
  const Checker c{"attention", memory_space()};
  c.activation("q", q);
  c.activation("y", y);
  c.alike("q", q, "y", y);
  c.cache(cache, q);
  c.rows(rows, q.rows());
  const int64_t positions = positions_attended(cache, rows);
  run(Op::kAttention, 2 * positions * cache.position_bytes() + q.bytes() + y.bytes(),
      4 * positions * q.cols(), [&] { do_attention(y, q, cache, rows); });
}

void Backend::swiglu(const Tensor& y, const Tensor& gate_up) {
  check_swiglu(memory_space(), y, gate_up);
  run(Op::kSwiglu, gate_up.bytes() + y.bytes(), 5 * y.count(), [&] { do_swiglu(y, gate_up); });
}

void Backend::norm_linear_rope(const Tensor& q, const KvCache& cache, const Tensor& x,
                               const Norm& norm, double eps, const Linear& weight,
                               const RopeTable& rope, const TokenRows& rows, const Tensor& normed,
                               const Tensor& qkv) {
  check_rms_norm(memory_space(), normed, x, norm);
  const Cost product = check_linear({"linear", memory_space()}, qkv, normed, weight);
  check_rope_append(memory_space(), q, cache, qkv, rope, rows);
  if (run_if(Op::kNormLinearRope, product.bytes, product.flops,
             [&] { return do_norm_linear_rope(q, cache, x, norm, eps, weight, rope, rows); }))
    return;
  rms_norm(normed, x, norm, eps);
  if (run_if(Op::kNormLinearRope, product.bytes, product.flops,
             [&] { return do_linear_rope(q, cache, normed, weight, rope, rows); }))
    return;
  linear(qkv, normed, weight);
  rope_append(q, cache, qkv, rope, rows);
}

void Backend::norm_linear_swiglu(const Tensor& y, const Tensor& x, const Norm& norm, double eps,
                                 const Linear& weight, const Tensor& normed,
                                 const Tensor& gate_up) {
  check_rms_norm(memory_space(), normed, x, norm);
  const Cost product = check_linear({"linear", memory_space()}, gate_up, normed, weight);
  check_swiglu(memory_space(), y, gate_up);
  if (run_if(Op::kNormLinearSwiglu, product.bytes - y.bytes(), product.flops,
             [&] { return do_norm_linear_swiglu(y, x, norm, eps, weight); }))
    return;
  rms_norm(normed, x, norm, eps);
  if (run_if(Op::kNormLinearSwiglu, product.bytes - y.bytes(), product.flops,
             [&] { return do_linear_swiglu(y, normed, weight); }))
    return;
  linear(gate_up, normed, weight);
  swiglu(y, gate_up);
}

void Backend::norm_linear_gelu(const Tensor& y, const Tensor& x, const Norm& norm, double eps,
                               const Linear& weight, const Tensor& normed) {
  check_rms_norm(memory_space(), normed, x, norm);
  const Cost product = check_linear({"linear", memory_space()}, y, normed, weight);
  if (run_if(Op::kNormLinearGelu, product.bytes, product.flops,
             [&] { return do_norm_linear_gelu(y, x, norm, eps, weight); }))
    return;
  rms_norm(normed, x, norm, eps);
  linear(y, normed, weight);
  gelu(y, y);
}

void Backend::gelu(const Tensor& y, const Tensor& x) {
  const Checker c{"gelu", memory_space()};
  c.activation("x", x);
  c.activation("y", y);
  c.alike("x", x, "y", y);
  run(Op::kGelu, x.bytes() + y.bytes(), 5 * y.count(), [&] { do_gelu(y, x); });
}

namespace {

// For a backend whose ops return only when they are done: there is nothing to wait for.
class NothingToWaitFor final : public Event {
 public:
  void wait() override {}
};

}  // namespace

std::unique_ptr<Event> Backend::record_event() { return std::make_unique<NothingToWaitFor>(); }

void Backend::group_norm(const Tensor& y, const Tensor& x, const Norm& norm, int64_t groups,
                         double eps, bool silu) {
  const Checker c{"group_norm", memory_space()};
  c.pictures("x", x);
  c.pictures("y", y);
  c.alike("x", x, "y", y);
  c.equal("channels of x", x.cols(), "the size of the norm", norm.size);
  require(norm.bias.data() != nullptr || norm.size == 0, "group_norm: the norm has no bias");
  require(groups > 0 && x.cols() % groups == 0,
          "group_norm: {} channels do not divide into {} groups", x.cols(), groups);
  // A picture is read twice: once for the statistics, once to be normalised.
  run(Op::kGroupNorm, 2 * x.bytes() + y.bytes() + norm.size * 8, (silu ? 9 : 5) * x.count(),
      [&] { do_group_norm(y, x, norm, groups, eps, silu); });
}

void Backend::conv2d(const Tensor& y, const Tensor& x, const Convolution& weight) {
  const Cost cost = check_convolution({"conv2d", memory_space()}, y, x, weight);
  run(Op::kConv2d, cost.bytes, cost.flops, [&] { do_conv2d(y, x, weight, nullptr); });
}

void Backend::conv2d_add(const Tensor& y, const Tensor& x, const Convolution& weight,
                         const Tensor& residual) {
  const Checker c{"conv2d_add", memory_space()};
  const Cost cost = check_convolution(c, y, x, weight);
  c.activation("residual", residual);
  c.alike("residual", residual, "y", y);
  c.whole("residual", residual);
  run(Op::kConv2dAdd, cost.bytes + y.bytes(), cost.flops + y.count(),
      [&] { do_conv2d(y, x, weight, &residual); });
}

void Backend::upsample2x(const Tensor& y, const Tensor& x) {
  const Checker c{"upsample2x", memory_space()};
  c.pictures("x", x);
  c.pictures("y", y);
  const int height = x.rank - 3, width = x.rank - 2;
  require(x.dtype == y.dtype && y.rank == x.rank && picture_count(y) == picture_count(x) &&
              y.shape[height] == 2 * x.shape[height] && y.shape[width] == 2 * x.shape[width] &&
              y.cols() == x.cols(),
          "upsample2x: x is {} but y is {}", shape_of(x), shape_of(y));
  run(Op::kUpsample2x, x.bytes() + y.bytes(), 0, [&] { do_upsample2x(y, x); });
}

void Backend::full_attention(const Tensor& y, const Tensor& q, const Tensor& k, const Tensor& v,
                             int64_t heads) {
  const Checker c{"full_attention", memory_space()};
  c.activation("q", q);
  c.activation("k", k);
  c.activation("v", v);
  c.activation("y", y);
  require(q.rank == 2 || q.rank == 3, "full_attention: q is {}; it must have 2 or 3 dimensions",
          shape_of(q));
  c.alike("k", k, "q", q);
  c.alike("v", v, "q", q);
  c.alike("y", y, "q", q);
  require(heads > 0 && q.cols() % heads == 0,
          "full_attention: {} columns do not divide into {} heads", q.cols(), heads);
  run(Op::kFullAttention, 4 * q.bytes(), 4 * q.shape[q.rank - 2] * q.count(),
      [&] { do_full_attention(y, q, k, v, heads); });
}

void Backend::to_pixels(const Tensor& pixels, const Tensor& x, const Tensor& not_finite) {
  const Checker c{"to_pixels", memory_space()};
  c.pictures("x", x);
  c.typed("pixels", pixels, DType::kU8);
  c.whole("pixels", pixels);
  c.array("not_finite", not_finite, DType::kI32, picture_count(x));
  require(x.cols() == 3 && pixels.same_shape(x), "to_pixels: x is {} but pixels is {}", shape_of(x),
          shape_of(pixels));
  run(Op::kToPixels, x.bytes() + pixels.bytes(), 4 * x.count(),
      [&] { do_to_pixels(pixels, x, not_finite); });
}

}  // namespace bifrons
