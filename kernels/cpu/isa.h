// The instruction sets for which the inner loops are compiled, one translation unit each, as tables
// of functions chosen at run time.
//
// A unit compiled with special flags must not emit an inline function that other units share: the
// linker keeps one copy, which may then use an instruction that a lesser machine does not have.
// Therefore this file has only plain structs and no standard library code, and all templates that
// those units instantiate depend on a type private to the unit.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace bifrons::cpu {

// Output rows interleaved in a weight panel (kernels/cpu/linear.h).
constexpr int kPanelRows = 32;

// Arguments of a panel kernel: all rows of x times one panel of weights.
struct PanelJob {
  const std::byte* panel = nullptr;
  const std::byte* next = nullptr;  // the panel that this thread reads next, or `panel` again
  const std::byte* x = nullptr;     // f32, or bf16 pairs for `bf16_pairs`
  int64_t x_pitch = 0;              // bytes from one row to the next
  int64_t rows = 0;                 // of x and y
  int64_t steps = 0;                // steps along K: pairs for bf16 weights, else single elements
  const float* bias = nullptr;      // of this panel, or null
  std::byte* y = nullptr;           // first column of this panel
  int64_t y_pitch = 0;              // bytes
  int columns = 0;                  // of y in this panel, at most kPanelRows
  bool y_is_bf16 = false;
  bool add = false;  // y += round(product) instead of y = round(product)
};

// Output rows interleaved in a panel of quantised weights (kernels/cpu/quantised_linear.h).
constexpr int kQuantisedRows = 16;

// Arguments of a quantised panel kernel. x points to integers of 16 bits, 2 `group` bytes for every
// [group of k][row]: words, or first all high bytes and then all low ones (QuantisedKernels).
// x_pitch and steps are not used.
struct QuantisedJob : PanelJob {
  const float* x_scales = nullptr;  // [groups][rows]
  const int32_t* x_offsets =
      nullptr;  // [groups][rows]: minus the weights' offset times the sum of x
  int64_t groups = 0;
};

struct QuantisedKernels {
  using Panel = void (*)(const QuantisedJob&);
  bool words = false;  // the form of x
  Panel int8 = nullptr;
  Panel int4 = nullptr;
};

// One for each kind of integer dot product; all but the portable one give the same bits.
extern const QuantisedKernels kPortableQuantised;
extern const QuantisedKernels kAvx2Quantised;
extern const QuantisedKernels kVnniQuantised;  // AVX-512 VNNI
extern const QuantisedKernels kAmxQuantised;   // AMX tiles for many rows, else AVX-512 VNNI

// Page size of the paged KV cache: equal to kPageTokens, which this file cannot include.
constexpr int64_t kCachePage = 16;
// Most positions of a call of the attention kernels.
constexpr int64_t kCacheChunk = 128;
// Extra entries in the list of pages, for prefetching.
constexpr int64_t kPagesAhead = 2;

// Attention of one head over `count` positions. q and results are f32, the cache is f32, bf16 or
// int8 (kernels/backend.h) with `size` elements per position. Position j is number j mod kCachePage
// of pages[j / kCachePage]. The list has kPagesAhead more pages, which will be read next (or repeat
// the last one).
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
  std::byte* y = nullptr;  // results, if any
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

// In the arrays of GroupNormKernels, every block of this many channels is stored as 16 even
// channels, then 16 odd ones: the two halves of the dwords of bf16.
constexpr int64_t kNormChannels = 32;

// Group norm over bf16 pictures; null if the instruction set has no kernels.
struct GroupNormKernels {
  // Per channel: sums of x - pivot and of its square, in f32.
  void (*sums)(const NormPixels& from, const float* pivots, float* sums, float* squares) = nullptr;
  // y = round((x - mean) * scale + shift), then y = table[y] if `table` is not null. The table has
  // an entry for every bf16 number and one more: a gather reads past its entry; the value does not
  // matter.
  void (*normalise)(const NormPixels& job, const NormFactors& by, const uint16_t* table) = nullptr;
};

struct InstructionSet {
  using Panel = void (*)(const PanelJob&);

  const char* name = nullptr;
  Panel bf16_pairs = nullptr;  // bf16 weights and bf16 x; null if there is no such instruction
  Panel bf16 = nullptr;        // bf16 weights, f32 x
  Panel f16 = nullptr;
  Panel f32 = nullptr;
  AttentionKernels attention_f32;
  AttentionKernels attention_bf16;
  AttentionKernels attention_int8;
  GroupNormKernels group_norm;
  const QuantisedKernels* quantised = nullptr;
  // In place values[j] = exp(values[j] - maximum). Returns the maximum and stores the sum in `sum`.
  float (*exponentials)(float* values, int64_t count, float* sum) = nullptr;
  // Reads `bytes` (a multiple of 512) with the widest loads. Returns a value that depends on the
  // data.
  uint64_t (*read)(const std::byte* data, int64_t bytes) = nullptr;
};

const InstructionSet& portable_instruction_set();
const InstructionSet& avx2_instruction_set();
// `vnni`: whether the machine has AVX-512 VNNI.
const InstructionSet& avx512_instruction_set(bool vnni);
const InstructionSet& avx512_bf16_instruction_set();
const InstructionSet& amx_instruction_set();

// Finds an instruction set by name; "auto" is the best one here. Throws Error (unavailable) when
// this machine cannot run it.
const InstructionSet& instruction_set(std::string_view name);

// Spin-wait hint to the core (x86 pause).
void pause_briefly();

}  // namespace bifrons::cpu
