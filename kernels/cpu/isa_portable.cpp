// The inner loops for any target of the compiler: four lanes, separate multiply and add.
#include "kernels/cpu/head_kernels.h"

namespace bifrons::cpu {
namespace {

struct Portable {
  // Vector extensions of the compiler, lowered to the target's instructions.
  typedef float Vector __attribute__((vector_size(16)));
  typedef uint64_t Words __attribute__((vector_size(16), may_alias));
  typedef uint32_t Dwords __attribute__((vector_size(16)));
  typedef uint16_t Halves __attribute__((vector_size(8)));
  typedef signed char Codes __attribute__((vector_size(4)));

  static constexpr int kLanes = 4;
  static constexpr int kMaxRows = 2;

  static Vector zero() { return Vector{}; }
  static Vector broadcast(const std::byte* x) {
    float f;
    __builtin_memcpy(&f, x, 4);
    return Vector{f, f, f, f};
  }
  static Vector multiply_add(Vector a, Vector b, Vector c) { return a * b + c; }
  static void store(float* to, Vector x) { __builtin_memcpy(to, &x, sizeof x); }
  static float sum(Vector x) { return (x[0] + x[2]) + (x[1] + x[3]); }
  static Vector load_f32(const std::byte* from) {
    Vector x;
    __builtin_memcpy(&x, from, sizeof x);
    return x;
  }
  static Vector load_even_bf16(const std::byte* from) {
    Dwords pairs;
    __builtin_memcpy(&pairs, from, sizeof pairs);
    return Vector(pairs << 16);
  }
  static Vector load_odd_bf16(const std::byte* from) {
    Dwords pairs;
    __builtin_memcpy(&pairs, from, sizeof pairs);
    return Vector(pairs & 0xffff0000u);
  }
  static Vector load_bf16(const std::byte* from) {
    Halves halves;
    __builtin_memcpy(&halves, from, sizeof halves);
    return Vector(__builtin_convertvector(halves, Dwords) << 16);
  }
  static Vector load_int8(const std::byte* from) {
    Codes codes;
    __builtin_memcpy(&codes, from, sizeof codes);
    return __builtin_convertvector(codes, Vector);
  }
  // Shifting the bits and scaling is exact, subnormals included; infinity and NaN are corrected.
  static Vector load_f16(const std::byte* from) {
    Halves halves;
    __builtin_memcpy(&halves, from, sizeof halves);
    const Dwords bits = __builtin_convertvector(halves, Dwords);
    const Dwords magnitude = (bits & 0x7fffu) << 13;
    const Dwords special = Dwords(magnitude >= 0x0f800000u) & 0x7f800000u;
    const Vector scaled = Vector(magnitude) * 0x1p112f;
    return Vector(Dwords(scaled) | special | ((bits & 0x8000u) << 16));
  }
};

constexpr InstructionSet portable() {
  InstructionSet set = table<Portable>("portable");
  set.quantised = &kPortableQuantised;
  return set;
}

constexpr InstructionSet kPortable = portable();

}  // namespace

const InstructionSet& portable_instruction_set() { return kPortable; }

}  // namespace bifrons::cpu
