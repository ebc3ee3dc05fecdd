// The interface between networks and devices: all ops that a network uses. The public ops check
// shapes and memory spaces and count bytes and FLOPs. The private do_* functions, one set per
// device, only compute.
//
// Rounding contract: inputs are widened to f32, arithmetic and accumulation are f32, and a result
// is rounded once to the dtype of its destination, except where an op names further rounding points
// (those of the reference implementation, docs/janus-pro.md 4.5). On f32 tensors rounding is a
// no-op.
// Row contract: the arithmetic of one row (token or picture) never depends on the other rows.
// Column clause: a position that is one of many rows of a causal pass (prefill, or the window of
// speculative decoding) has the same bits as in a pass of its own. That holds for products, RoPE, K
// and V as stored, attention (chunks are cut at absolute positions and merged in one order),
// guidance and sampling. It makes speculative decoding exact (tests/model/test_columns.cpp).
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string_view>

#include "kernels/meter.h"
#include "kernels/tensor.h"
#include "kernels/weights.h"

namespace bifrons {

// For every row of a step: its sequence in the KV cache and its position in that sequence. An idle
// row has position -1: it is not put into the cache, and its attention is zero.
struct TokenRows {
  Tensor sequence;  // i32 [M]
  Tensor position;  // i32 [M]
  // A hint for speed, which never changes a result: of every `shared * stride` rows, those that are
  // `stride` apart are mostly of one sequence.
  int64_t shared = 1, stride = 1;
};

// Page size of the paged KV cache: a page holds this many consecutive positions of a sequence.
inline constexpr int64_t kPageTokens = 16;

// dtype of k and v in a KvCache whose keys and values have 8 bits.
inline constexpr DType kInt8Cache = DType::kU8;
// Bytes of the scale of a position in such a cache: an f32.
inline constexpr int64_t kScaleBytes = 4;

// The paged KV cache of one layer, in the activation dtype or in 8 bits. Position p of a sequence
// lies in page table[sequence, p / kPageTokens]. Sequences with a common prefix may share pages.
//
// In 8 bits (int8_kv()) every key and value of a head is an f32 scale and head_dim codes from -127
// to 127: element = scale * code, with scale = m / 127 of the largest magnitude m, in f32, and code
// = element * (127 / m), rounded to the nearest, ties to even. If m is below 2^-100, both are 0; if
// an element is not finite, the scale is NaN and the codes are 0. A page of a head is first its
// kPageTokens scales (a cache line), then the codes, position by position: so it is read in order.
// Rounding starts from k and v as the activation dtype has them.
struct KvCache {
  Tensor k;      // [kv_heads, pages, kPageTokens, head_dim], consecutive pages are contiguous; in 8
                 // bits u8 [kv_heads, pages, kPageTokens, head_dim + kScaleBytes], see above
  Tensor v;      // the same shape
  Tensor table;  // page table i32 [sequences, capacity / kPageTokens]; unused entries are not read

  bool int8_kv() const { return k.dtype == kInt8Cache; }
  int64_t kv_heads() const { return k.shape[0]; }
  int64_t pages() const { return k.shape[1]; }
  int64_t head_dim() const { return k.shape[3] - (int8_kv() ? kScaleBytes : 0); }
  int64_t sequences() const { return table.rows(); }
  int64_t capacity() const { return table.cols() * kPageTokens; }
  // Bytes of a key or value of all heads.
  int64_t position_bytes() const { return kv_heads() * k.shape[3] * size_of(k.dtype); }
};

// cos and sin of position * inverse frequency, rounded to the activation dtype, stored as f32.
struct RopeTable {
  Tensor cos;  // f32 [capacity, head_dim / 2]
  Tensor sin;  // the same shape
};

// Settings of the sampler for the P pictures of a step.
struct SampleControls {
  Tensor temperature;   // f32 [P]; 0 is greedy
  Tensor top_k;         // i32 [P]; 0 is off
  Tensor top_p;         // f32 [P]; 1 is off
  Tensor seed;          // i32 [P, 2]: low and high word of the 64-bit seed
  Tensor step;          // i32 [P]: index of the image token (the counter of the noise)
  uint32_t stream = 0;  // of the noise (kernels/sampling.h): kImageTokenStream
};

// Speculative decoding: a window is the last accepted code and drafts of the codes after it, which
// run in one causal pass. P pictures of R rows have windows of W columns each. Column w of picture
// p is c = p W + w, and its rows are R c to R c + R - 1.
struct DraftWindows {
  Tensor inputs;    // i32 [R P W]: the code of each row: the last accepted one, then drafts
  Tensor forced;    // i32 [P, N] as in force_ids; a picture has N image tokens
  Tensor step;      // i32 [P W]: image token that the column samples; from N on it is idle
  Tensor position;  // i32 [R P W] as in TokenRows
  Tensor ring;      // i32 [P, N (1 + W)]: of N passes, how many codes were accepted, then the codes
  Tensor pass;      // i32 [P]: passes so far; pass n is at n modulo the ring's passes

  int64_t rows() const { return inputs.count() / std::max<int64_t>(1, step.count()); }  // R
};

// Most columns of a window.
inline constexpr int64_t kMostWindow = 64;

// A step that was captured once (as a CUDA graph on a GPU) and can be run again and again.
class CapturedStep {
 public:
  virtual ~CapturedStep() = default;
  // Launches the step once more. Like an op it may return before the device is done.
  virtual void run() = 0;
  // Whether the step runs in its fastest variant. A device may time several variants first; all
  // give the same results.
  virtual bool settled() const { return true; }
};

// A point in the order of launched work, like a CUDA event.
class Event {
 public:
  virtual ~Event() = default;
  // Returns when all work is done that was launched before the event was recorded. It does not wait
  // for work launched later.
  virtual void wait() = 0;
};

class Backend {
 public:
  virtual ~Backend() = default;

  virtual std::string_view name() const = 0;
  // The instruction set or device in words, for reports.
  virtual std::string_view description() const = 0;
  virtual MemorySpace memory_space() const = 0;

  // Zero-filled memory, 64-byte aligned. Throws Error (unavailable) with needed bytes.
  virtual Buffer allocate(int64_t bytes) = 0;
  virtual void upload(const Tensor& to, const void* host) = 0;  // contiguous destination
  virtual void download(void* host, const Tensor& from) = 0;    // contiguous source
  // Copies within this backend's memory, in order with the ops: same dtype, rows() and cols(),
  // rows of either may lie apart.
  void copy(const Tensor& to, const Tensor& from);
  // Bytes that allocate() could still give; nullopt where the operating system decides that (CPU).
  virtual std::optional<int64_t> free_bytes() { return std::nullopt; }
  // Memory that the host reads at the same address, after the ops that wrote it are done.
  // Zero-filled.
  virtual Buffer allocate_shared(int64_t bytes) { return allocate(bytes); }
  // Waits for everything launched so far; a no-op on the CPU.
  virtual void synchronize() {}
  virtual std::unique_ptr<Event> record_event();

  // Captures a step (CUDA graph capture on a GPU). `step` may only call ops of this backend, on
  // memory that outlives the captured step. Either `step` is called now, once or twice, and its
  // launches are replayed by run(); or every run() calls it, as this default does. Everything that
  // changes from run to run (ids, positions, steps) lies in memory of the backend.
  virtual std::unique_ptr<CapturedStep> capture(std::function<void()> step);

  // Stacks `parts` (equal cols) along the output dimension; `bias` is one f32/bf16/f16 array per
  // part or empty.
  virtual Linear make_linear(std::span<const HostArray> parts, std::span<const HostArray> bias) = 0;
  // The same from quantised matrices of one format and equal columns. The arithmetic of each device
  // stands in docs/quantization.md: no weight is rounded again, and the order of a sum depends on
  // the columns of the matrix alone.
  virtual Linear make_quantised_linear(std::span<const QuantisedArray> parts,
                                       std::span<const HostArray> bias) = 0;
  // `weight` is [out, in * kernel * kernel] as published (out, in, kh, kw), `bias` [1, out].
  virtual Convolution make_convolution(const HostArray& weight, const HostArray& bias,
                                       int64_t kernel, Padding padding) = 0;
  virtual Norm make_norm(const HostArray& weight, const HostArray* bias) = 0;
  virtual Table make_table(const HostArray& rows) = 0;

  // y[m] = table[ids[m]]. y [M, K], ids i32 [M]; a negative id reads row 0; ids >= rows throw.
  void gather(const Tensor& y, const Table& table, const Tensor& ids);

  // y = round(x / sqrt(mean(x^2) + eps)) * weight, two roundings. x, y [M, K].
  void rms_norm(const Tensor& y, const Tensor& x, const Norm& norm, double eps);

  // y = (x - mean) / sqrt(variance + eps) * weight + bias, one rounding. x, y [M, K].
  void layer_norm(const Tensor& y, const Tensor& x, const Norm& norm, double eps);

  // y = x W^T + bias. x [M, in], y [M, out]; y may be f32 whatever x is.
  void linear(const Tensor& y, const Tensor& x, const Linear& weight);

  // y += round(x W^T + bias). y [M, out], same dtype as x.
  void linear_add(const Tensor& y, const Tensor& x, const Linear& weight);

  // Splits qkv [M, (heads + 2 kv_heads) * head_dim], rotates q and k by their row's position
  // (half-split pairs; each product and the sum rounded), writes q [M, heads * head_dim] and puts k
  // and v into the cache at (sequence, position), as they are or in 8 bits (KvCache).
  void rope_append(const Tensor& q, const KvCache& cache, const Tensor& qkv, const RopeTable& rope,
                   const TokenRows& rows);

  // y = softmax(q k^T / sqrt(head_dim)) v over positions 0..position of the row's sequence; softmax
  // in f32, probabilities not rounded. q, y [M, heads * head_dim]; heads share kv heads in groups.
  // From 8 bits k and v are widened to f32.
  void attention(const Tensor& y, const Tensor& q, const KvCache& cache, const TokenRows& rows);

  // y = round(silu(gate)) * up. gate_up [M, 2 F] = gate columns, then up columns; y [M, F].
  void swiglu(const Tensor& y, const Tensor& gate_up);

  // Fused ops: bit-identical to their parts run one after another. The scratch tensors are those
  // that the parts would write; their contents afterwards are undefined.

  // rms_norm(normed, x), linear(qkv, normed), rope_append(q, cache, qkv).
  void norm_linear_rope(const Tensor& q, const KvCache& cache, const Tensor& x, const Norm& norm,
                        double eps, const Linear& weight, const RopeTable& rope,
                        const TokenRows& rows, const Tensor& normed, const Tensor& qkv);

  // rms_norm(normed, x), linear(gate_up, normed), swiglu(y, gate_up).
  void norm_linear_swiglu(const Tensor& y, const Tensor& x, const Norm& norm, double eps,
                          const Linear& weight, const Tensor& normed, const Tensor& gate_up);

  // rms_norm(normed, x), linear(y, normed), gelu(y, y).
  void norm_linear_gelu(const Tensor& y, const Tensor& x, const Norm& norm, double eps,
                        const Linear& weight, const Tensor& normed);

  // guide(guided, logits, scale), sample(ids, guided, controls).
  void guide_sample(const Tensor& ids, const Tensor& guided, const Tensor& logits,
                    const Tensor& scale, const SampleControls& controls);

  // force_ids(ids, forced, step), record_ids(ring, ids, step), advance(position), advance(step).
  // position i32 [R P]; step not negative, as for record_ids.
  void finish_step(const Tensor& ids, const Tensor& forced, const Tensor& ring, const Tensor& step,
                   const Tensor& position);

  // y = x Phi(x), the erf form. Same shapes.
  void gelu(const Tensor& y, const Tensor& x);

  // Classifier-free guidance of pictures with R rows each: guided[i] = u + sum over r < R - 1, in
  // that order, of scale[i, r] (c_r - u). The conditional rows are c_r = logits[R i + r], and the
  // unconditional row u = logits[R i + R - 1] is the last. logits f32 [R P, N], R >= 2; guided f32
  // [P, N]; scale f32 [P (R - 1)]. With a pair of rows that is u + scale[i] (c - u).
  void guide(const Tensor& guided, const Tensor& logits, const Tensor& scale);

  // Gumbel-max sampling: ids[R i] to ids[R i + R - 1], the inputs of picture i's rows, become the
  // argmax over codes of guided[i] / temperature + Gumbel noise, within top-k and top-p
  // (kernels/sampling.h). Ties go to the lower code; the id is -1 when guided[i] holds NaN or +inf.
  // guided f32 [P, N], ids i32 [R P], R >= 2.
  void sample(const Tensor& ids, const Tensor& guided, const SampleControls& controls);

  // Forces codes that are not sampled: ids[R i] to ids[R i + R - 1] become forced[i, step[i]] where
  // that is not negative. A step outside of `forced` changes nothing. ids i32 [R P], forced i32 [P,
  // N], step i32 [P].
  void force_ids(const Tensor& ids, const Tensor& forced, const Tensor& step);

  // Records the ids in a ring buffer: ring[i, step[i] mod N] = ids[R i]. ring i32 [P, N], ids i32
  // [R P], step i32 [P], not negative.
  void record_ids(const Tensor& ring, const Tensor& ids, const Tensor& step);

  // Adds one to every element of an i32 tensor (positions, steps).
  void advance(const Tensor& counters);

  // Verifies the drafts of every window. `ids`, i32 [R P W], are the codes sampled by the columns;
  // forced codes replace them as in force_ids. The codes of the columns up to the first one whose
  // code is not the input of the next column are accepted and recorded in the ring; a negative code
  // is the last one to be accepted. Then the window moves behind them (kernels/drafts.h).
  void accept_drafts(const DraftWindows& windows, const Tensor& ids);

  // GroupNorm over groups of channels of each picture (statistics in f32, result rounded), then
  // optionally x sigmoid(x) (rounded again). x, y [H, W, C], or [P, H, W, C] for P pictures.
  void group_norm(const Tensor& y, const Tensor& x, const Norm& norm, int64_t groups, double eps,
                  bool silu);

  // x [H, W, in] -> y [H', W', out]; conv2d_add: y = round(convolution) + residual, residual like
  // y. Or P pictures, which a library may sum in another order (vision/networks/vq_together.h).
  void conv2d(const Tensor& y, const Tensor& x, const Convolution& weight);
  void conv2d_add(const Tensor& y, const Tensor& x, const Convolution& weight,
                  const Tensor& residual);

  // Nearest neighbour. x [H, W, C] -> y [2 H, 2 W, C]. Or P pictures.
  void upsample2x(const Tensor& y, const Tensor& x);

  // Attention without mask and cache: y = softmax(q k^T / sqrt(C / heads)) v for each head, a block
  // of C / heads columns; every row attends to every row. Scores are rounded before the softmax and
  // probabilities after it. q, k, v, y [N, C], or [P, N, C]: every row to the N rows of its p.
  void full_attention(const Tensor& y, const Tensor& q, const Tensor& k, const Tensor& v,
                      int64_t heads = 1);

  // pixels u8 = trunc(clamp((x + 1) / 2 * 255, 0, 255)); NaN -> 0. Both [H, W, 3] or [P, H, W, 3].
  // not_finite, i32 [P], is set to 1 at a picture with a NaN or infinity, and else stays.
  void to_pixels(const Tensor& pixels, const Tensor& x, const Tensor& not_finite);

  Meter& meter() { return meter_; }

  // From now on every op waits for the device, and its wall time is added to `times` (borrowed);
  // null ends that. The times give shares, not totals: an op that is waited for does not overlap
  // with the next one. A captured step that is run again calls no op, so it is not timed.
  void time_ops(OpTimes* times) { times_ = times; }

 private:
  // The default copies row by row through the host; a device may override it.
  virtual void do_copy(const Tensor& to, const Tensor& from);
  virtual void do_gather(const Tensor& y, const Table& table, const Tensor& ids) = 0;
  virtual void do_rms_norm(const Tensor& y, const Tensor& x, const Norm& norm, double eps) = 0;
  virtual void do_layer_norm(const Tensor& y, const Tensor& x, const Norm& norm, double eps) = 0;
  virtual void do_linear(const Tensor& y, const Tensor& x, const Linear& weight, bool add) = 0;
  virtual void do_rope_append(const Tensor& q, const KvCache& cache, const Tensor& qkv,
                              const RopeTable& rope, const TokenRows& rows) = 0;
  virtual void do_attention(const Tensor& y, const Tensor& q, const KvCache& cache,
                            const TokenRows& rows) = 0;
  virtual void do_swiglu(const Tensor& y, const Tensor& gate_up) = 0;
  // Runs the fused kernel and returns true if the device has one for these shapes. If it returns
  // false, the parts run.
  virtual bool do_norm_linear_rope(const Tensor&, const KvCache&, const Tensor&, const Norm&,
                                   double, const Linear&, const RopeTable&, const TokenRows&) {
    return false;
  }
  virtual bool do_norm_linear_swiglu(const Tensor&, const Tensor&, const Norm&, double,
                                     const Linear&) {
    return false;
  }
  virtual bool do_norm_linear_gelu(const Tensor&, const Tensor&, const Norm&, double,
                                   const Linear&) {
    return false;
  }
  // The same after the norm, where the device has no kernel with it.
  virtual bool do_linear_rope(const Tensor&, const KvCache&, const Tensor&, const Linear&,
                              const RopeTable&, const TokenRows&) {
    return false;
  }
  virtual bool do_linear_swiglu(const Tensor&, const Tensor&, const Linear&) { return false; }
  virtual bool do_guide_sample(const Tensor&, const Tensor&, const Tensor&, const Tensor&,
                               const SampleControls&) {
    return false;
  }
  virtual bool do_finish_step(const Tensor&, const Tensor&, const Tensor&, const Tensor&,
                              const Tensor&) {
    return false;
  }
  virtual void do_gelu(const Tensor& y, const Tensor& x) = 0;
  virtual void do_guide(const Tensor& guided, const Tensor& logits, const Tensor& scale) = 0;
  virtual void do_sample(const Tensor& ids, const Tensor& guided,
                         const SampleControls& controls) = 0;
  virtual void do_force_ids(const Tensor& ids, const Tensor& forced, const Tensor& step) = 0;
  virtual void do_record_ids(const Tensor& ring, const Tensor& ids, const Tensor& step) = 0;
  virtual void do_advance(const Tensor& counters) = 0;
  virtual void do_accept_drafts(const DraftWindows& windows, const Tensor& ids) = 0;
  virtual void do_group_norm(const Tensor& y, const Tensor& x, const Norm& norm, int64_t groups,
                             double eps, bool silu) = 0;
  virtual void do_conv2d(const Tensor& y, const Tensor& x, const Convolution& weight,
                         const Tensor* residual) = 0;
  virtual void do_upsample2x(const Tensor& y, const Tensor& x) = 0;
  virtual void do_full_attention(const Tensor& y, const Tensor& q, const Tensor& k, const Tensor& v,
                                 int64_t heads) = 0;
  virtual void do_to_pixels(const Tensor& pixels, const Tensor& x, const Tensor& not_finite) = 0;

  // Calls `op_function`, counts it in the meter, and times it if time_ops() asked for that.
  template <typename OpFunction>
  void run(Op op, int64_t bytes, int64_t flops, OpFunction op_function);
  // The same for a fused kernel, whose function returns whether it ran. If not, nothing is counted.
  template <typename OpFunction>
  bool run_if(Op op, int64_t bytes, int64_t flops, OpFunction op_function);

  Meter meter_;
  OpTimes* times_ = nullptr;
};

// threads: 0 takes the number of cores this process may use.
// isa: "auto", or one of cpu_instruction_sets() to force a lesser one (tests, comparisons).
std::unique_ptr<Backend> make_cpu_backend(int threads = 0, std::string_view isa = "auto");

// device: index of the GPU. Throws Error (unavailable) with the reason when it cannot be used, also
// in a build without CUDA (kernels/devices.h tells beforehand).
// low_priority: work of other backends on the same GPU runs first.
// pdl: whether a kernel may begin while the one before it ends (programmatic dependent launch),
// from compute capability 9.0 on; not set: each captured step keeps what is faster. Never changes a
// result.
std::unique_ptr<Backend> make_cuda_backend(int device = 0, bool low_priority = false,
                                           std::optional<bool> pdl = {});

// Instruction sets that this machine and build can run, best first: of "amx", "avx512_bf16",
// "avx512", "avx2" and "portable".
std::span<const std::string_view> cpu_instruction_sets();

}  // namespace bifrons
