// Guard bands and poison values.
#include "tests/support/guarded_tensor.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>

namespace bifrons::testing {
namespace {

// Elements. A multiple of 64 bytes for every dtype, so tensors keep their alignment.
constexpr int64_t kGuard = 64;

// Quiet NaNs with a payload. As an integer, a number that no test uses.
constexpr uint32_t kPoison32 = 0x7fc0dead;
constexpr uint16_t kPoison16 = 0x7fed;  // NaN as bf16 and as f16
constexpr uint8_t kPoison8 = 0xa5;

template <typename T>
void put(std::byte* to, T value) {
  std::memcpy(to, &value, sizeof value);
}

template <typename T>
T get(const std::byte* from) {
  T value;
  std::memcpy(&value, from, sizeof value);
  return value;
}

// Exact for numbers that f16 can represent; slow and simple.
uint16_t half_bits(double x) {
  if (x == 0.0) return std::signbit(x) ? 0x8000 : 0;
  const int exponent = std::max(std::ilogb(x), -14);
  const int mantissa = static_cast<int>(std::ldexp(std::fabs(x), 10 - exponent));
  const int biased = mantissa < 1024 ? 0 : exponent + 15;
  return static_cast<uint16_t>((x < 0 ? 0x8000 : 0) | biased << 10 | (mantissa & 1023));
}

void encode_one(std::byte* to, double x, DType dtype) {
  const bool poison = std::isnan(x);
  switch (dtype) {
    case DType::kF32:
      return poison ? put(to, kPoison32) : put(to, static_cast<float>(x));
    case DType::kBf16:
      return put(
          to, poison ? kPoison16
                     : static_cast<uint16_t>(std::bit_cast<uint32_t>(static_cast<float>(x)) >> 16));
    case DType::kF16:
      return put(to, poison ? kPoison16 : half_bits(x));
    case DType::kI32:
      return poison ? put(to, kPoison32) : put(to, static_cast<int32_t>(x));
    case DType::kU8:
      return put(to, poison ? kPoison8 : static_cast<uint8_t>(x));
  }
}

double decode_one(const std::byte* from, DType dtype) {
  switch (dtype) {
    case DType::kF32:
      return get<float>(from);
    case DType::kBf16:
      return std::bit_cast<float>(uint32_t{get<uint16_t>(from)} << 16);
    case DType::kF16:
      return to_float(get<F16>(from));
    case DType::kI32:
      return get<int32_t>(from);
    case DType::kU8:
      return get<uint8_t>(from);
  }
  return NAN;
}

}  // namespace

Values spread(uint32_t seed, int64_t n, DType dtype) {
  uint64_t state = seed * 0x9e3779b97f4a7c15u + 1;
  Values values(n);
  for (double& value : values) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    value = reference::rounded(static_cast<double>(state >> 33) * 0x1p-30 - 1.0, dtype);
  }
  return values;
}

std::vector<std::byte> encode(const Values& values, DType dtype) {
  std::vector<std::byte> bytes(values.size() * size_of(dtype));
  for (size_t i = 0; i < values.size(); ++i) {
    encode_one(bytes.data() + i * size_of(dtype), values[i], dtype);
  }
  return bytes;
}

Values decode(const std::vector<std::byte>& bytes, DType dtype) {
  Values values(bytes.size() / size_of(dtype));
  for (size_t i = 0; i < values.size(); ++i) {
    values[i] = decode_one(bytes.data() + i * size_of(dtype), dtype);
  }
  return values;
}

GuardedTensor::GuardedTensor(Backend& b, DType dtype, const std::vector<int64_t>& shape,
                             const Values& values, int64_t gap)
    : backend_(&b) {
  tensor_.dtype = dtype;
  tensor_.space = b.memory_space();
  tensor_.rank = static_cast<int>(shape.size());
  for (size_t i = 0; i < shape.size(); ++i) tensor_.shape[i] = shape[i];
  const int64_t cols = tensor_.cols(), rows = tensor_.rows();
  tensor_.pitch = cols + gap;
  check(values.empty() || static_cast<int64_t>(values.size()) == tensor_.count(),
        "GuardedTensor: values do not fit the shape");
  Values all(2 * kGuard + rows * tensor_.pitch, NAN);
  for (size_t i = 0; i < values.size(); ++i) {
    all[kGuard + i / cols * tensor_.pitch + i % cols] = values[i];
  }
  before_ = encode(all, dtype);
  buffer_ = b.allocate(static_cast<int64_t>(before_.size()));
  b.upload(buffer_.view(DType::kU8, {buffer_.bytes()}), before_.data());
  tensor_.data = static_cast<std::byte*>(buffer_.data()) + kGuard * size_of(dtype);
}

std::vector<std::byte> GuardedTensor::download() const {
  std::vector<std::byte> bytes(before_.size());
  backend_->synchronize();
  backend_->download(bytes.data(), buffer_.view(DType::kU8, {buffer_.bytes()}));
  return bytes;
}

Values GuardedTensor::values() const {
  const Values all = decode(download(), tensor_.dtype);
  Values values(tensor_.count());
  for (size_t i = 0; i < values.size(); ++i) {
    values[i] = all[kGuard + i / tensor_.cols() * tensor_.pitch + i % tensor_.cols()];
  }
  return values;
}

bool GuardedTensor::guards_intact() const {
  const std::vector<std::byte> now = download();
  const int64_t size = size_of(tensor_.dtype);
  for (size_t i = 0; i < now.size(); ++i) {
    const int64_t element = static_cast<int64_t>(i) / size - kGuard;
    const bool inside = element >= 0 && element < tensor_.rows() * tensor_.pitch &&
                        element % tensor_.pitch < tensor_.cols();
    if (!inside && now[i] != before_[i]) return false;
  }
  return true;
}

}  // namespace bifrons::testing
