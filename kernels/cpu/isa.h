// The instruction sets the hot loops are compiled for, one translation unit each, as tables of
// functions chosen at run time.
//
// A unit compiled with special flags must not emit an inline function that other units share: the
// linker keeps one copy, which may then fault on a lesser machine. Hence plain structs here, no
// standard library code, and everything those units instantiate depends on a type private to them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace bifrons::cpu {

// Output rows that lie interleaved in a weight panel (kernels/cpu/linear.h).
constexpr int kPanelRows = 32;

// All rows of x times one panel of weights.
struct PanelJob {
  const std::byte* panel = nullptr;
  const std::byte* x = nullptr;  // f32, or bf16 pairs where the kernel says so
  int64_t x_pitch = 0;           // bytes from one row to the next
  int64_t rows = 0;              // of x and y
  int64_t steps = 0;             // of K: pairs for bf16 weights, else single elements
  const float* bias = nullptr;   // of this panel, or null
  std::byte* y = nullptr;        // first column of this panel
  int64_t y_pitch = 0;           // bytes
  int columns = 0;               // of y in this panel, at most kPanelRows
  bool y_is_bf16 = false;
  bool add = false;  // y += round(product) instead of y = round(product)
};

// Positions that lie one after another: kPageTokens, which this file cannot see.
constexpr int64_t kCachePage = 16;
// Pages behind the last one that attention may want in the caches.
constexpr int64_t kPagesAhead = 2;

// One head of attention over `count` positions; q and results are f32, the cache f32 or bf16 with
// `size` elements per position. Position j is number j mod kCachePage of pages[j / kCachePage];
// kPagesAhead pages more are named, which will be read next, if any.
struct AttentionKernels {
  // out[j] = scale * (q . k[j]).
  void (*scores)(const float* q, const std::byte* const* pages, int64_t count, int64_t size,
                 float scale, float* out) = nullptr;
  // out = sum of weight[j] v[j].
  void (*mix)(const float* weight, const std::byte* const* pages, int64_t count, int64_t size,
              float* out) = nullptr;
};

// Neighbouring pixels of a bf16 picture. `channels` is a multiple of kNormChannels.
struct NormPixels {
  const std::byte* x = nullptr;
  std::byte* y = nullptr;  // where results go, if any
  int64_t x_pitch = 0;     // bytes from one pixel to the next
  int64_t y_pitch = 0;
  int64_t pixels = 0;
  int64_t channels = 0;
};

// y = (x - mean) * scale + shift, one of each per channel.
struct NormFactors {
  const float* mean = nullptr;
  const float* scale = nullptr;
  const float* shift = nullptr;
};

// Every block of this many channels lies in the arrays of GroupNormKernels as 16 even channels, then
// 16 odd ones: the two halves of a dword of bf16.
constexpr int64_t kNormChannels = 32;

// Group norm over bf16 pictures; null where plain loops have to do.
struct GroupNormKernels {
  // Per channel: sums of x - pivot and of its square, in f32.
  void (*sums)(const NormPixels& from, const float* pivots, float* sums, float* squares) = nullptr;
  // y = round((x - mean) * scale + shift), then y = table[y] if there is a table of every bf16
  // number and one entry more, which is read but means nothing.
  void (*normalise)(const NormPixels& job, const NormFactors& by, const uint16_t* table) = nullptr;
};

struct InstructionSet {
  using Panel = void (*)(const PanelJob&);

  const char* name = nullptr;
  Panel bf16_pairs = nullptr;  // bf16 weights and bf16 x; null where that has no instruction
  Panel bf16 = nullptr;        // bf16 weights, f32 x
  Panel f16 = nullptr;
  Panel f32 = nullptr;
  AttentionKernels attention_f32;
  AttentionKernels attention_bf16;
  GroupNormKernels group_norm;
  // In place values[j] = exp(values[j] - maximum); returns the maximum and adds up in `sum`.
  float (*exponentials)(float* values, int64_t count, float* sum) = nullptr;
  // Reads `bytes` (a multiple of 512) with the widest loads and returns something of them.
  uint64_t (*read)(const std::byte* data, int64_t bytes) = nullptr;
};

const InstructionSet& portable_instruction_set();
const InstructionSet& avx2_instruction_set();
const InstructionSet& avx512_instruction_set();
const InstructionSet& avx512_bf16_instruction_set();
const InstructionSet& amx_instruction_set();

// By name; "auto" is the best one here. Throws Error (unavailable) when this machine cannot run it.
const InstructionSet& instruction_set(std::string_view name);

// Tells the core that this is a loop that waits.
void pause_briefly();

}  // namespace bifrons::cpu
