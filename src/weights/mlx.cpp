// MLX's record in config.json, and its arithmetic.
#include "src/weights/mlx.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstring>

#include "kernels/error.h"
#include "src/io/json.h"
#include "src/io/quote.h"

namespace bifrons {
namespace {

constexpr size_t kMostMlxConfig = 1 << 20;
constexpr std::array<int64_t, 3> kGroups{32, 64, 128};  // what MLX has kernels for

constexpr std::string_view kAdvice = "take the model's full weights, or its 4-bit ones";

[[noreturn]] void refuse_field(const std::string& where, const std::string& reason) {
  throw Error(ErrorKind::kData, fmt::format("{} {}; {}", where, reason, kAdvice));
}

int64_t whole_number(const Json& object, std::string_view name, const std::string& where) {
  const Json* value = object.find(name);
  if (value == nullptr) refuse_field(where, fmt::format("has no {}", name));
  return value->unsigned_integer(fmt::format("{}.{}", where, name));
}

MlxFormat read_format(const Json& object, const std::string& where) {
  if (const Json* mode = object.find("mode"); mode != nullptr && !mode->is_null()) {
    const std::string& text = mode->text(where + ".mode");
    if (text != "affine") {
      refuse_field(where,
                   fmt::format("has the mode {}, and affine alone is read", quote(text, 40)));
    }
  }
  const MlxFormat format{whole_number(object, "bits", where),
                         whole_number(object, "group_size", where)};
  if (format.bits != 4 && format.bits != 8) {
    refuse_field(where, fmt::format("has {} bits, and 4 and 8 are read", format.bits));
  }
  if (std::find(kGroups.begin(), kGroups.end(), format.group) == kGroups.end()) {
    refuse_field(
        where, fmt::format("has groups of {}, and MLX has groups of 32, 64 and 128", format.group));
  }
  return format;
}

// Rounds to `digits` binary digits, half to even, none of them below 2^lowest. The sum with a
// number whose last digit is the wanted one rounds there.
double round_digits(double x, int digits, int lowest) {
  const int exponent = static_cast<int>((std::bit_cast<uint64_t>(x) >> 52) & 0x7ff) - 1023;
  const int last = std::max(exponent - (digits - 1), lowest);
  const double magic = std::bit_cast<double>(static_cast<uint64_t>(last + 52 + 1023) << 52) * 1.5;
  return (x + magic) - magic;
}

// The functions below take finite numbers. Their result may be infinite.
uint16_t f16_bits(double x) {
  constexpr double kLargest = 65504;
  const double rounded = round_digits(x, 11, -24);
  const uint16_t sign = std::signbit(x) ? 0x8000 : 0;
  const double magnitude = std::abs(rounded);
  if (magnitude > kLargest) return sign | 0x7c00;
  if (magnitude < 0x1p-14) return sign | static_cast<uint16_t>(magnitude * 0x1p24);
  const uint32_t bits = std::bit_cast<uint32_t>(static_cast<float>(magnitude));
  return static_cast<uint16_t>(sign | ((bits >> 13) - (112u << 10)));
}

struct ToF16 {
  uint16_t operator()(double x) const { return f16_bits(x); }
};
struct ToBf16 {
  uint16_t operator()(double x) const {
    return to_bf16(static_cast<float>(round_digits(x, 8, -133))).bits;
  }
};
struct ToF32 {
  uint32_t operator()(double x) const { return std::bit_cast<uint32_t>(static_cast<float>(x)); }
};

template <typename T>
T load(const std::byte* from) {
  T value;
  std::memcpy(&value, from, sizeof value);
  return value;
}

float load_number(DType dtype, const std::byte* array, int64_t i) {
  const std::byte* at = array + i * size_of(dtype);
  if (dtype == DType::kF16) return to_float(F16{load<uint16_t>(at)});
  if (dtype == DType::kBf16) return to_float(Bf16{load<uint16_t>(at)});
  return load<float>(at);
}

// One group: `words` of it, to `out`. With 4 bits its 16 values are rounded once for all.
template <int kBits, typename Round>
void dequantise_group(const std::byte* words, int64_t elements, double scale, double bias,
                      const Round& round, std::byte* out) {
  using Stored = decltype(round(0.0));
  constexpr uint32_t kMask = (1u << kBits) - 1;
  constexpr int64_t kInWord = 32 / kBits;
  std::array<Stored, kBits == 4 ? 16 : 1> values{};
  if constexpr (kBits == 4) {
    for (size_t q = 0; q < values.size(); ++q) {
      values[q] = round(static_cast<double>(q) * scale + bias);
    }
  }
  for (int64_t i = 0; i < elements; i += kInWord) {
    uint32_t word = load<uint32_t>(words + i / kInWord * 4);
    for (int64_t k = 0; k < kInWord; ++k, word >>= kBits) {
      Stored value{};
      if constexpr (kBits == 4) {
        value = values[word & kMask];
      } else {
        value = round(static_cast<double>(word & kMask) * scale + bias);
      }
      std::memcpy(out + (i + k) * static_cast<int64_t>(sizeof value), &value, sizeof value);
    }
  }
}

template <int kBits, typename Round>
std::optional<int64_t> dequantise_rows(const MlxMatrix& m, const std::byte* words,
                                       const std::byte* scales, const std::byte* biases,
                                       int64_t groups, const Round& round, std::byte* out) {
  constexpr double kMostQ = (1 << kBits) - 1;
  const int64_t word_bytes = m.format.group * kBits / 8, bytes = m.format.group * size_of(m.dtype);
  const double largest = m.dtype == DType::kF16 ? 65504.0 : 0x1.fep127;
  for (int64_t g = 0; g < groups; ++g) {
    const double scale = load_number(m.dtype, scales, g), bias = load_number(m.dtype, biases, g);
    // An element lies between the one of q = 0 and the one of the largest q.
    if (!(std::abs(bias) <= largest && std::abs(kMostQ * scale + bias) <= largest)) return g;
    dequantise_group<kBits>(words + g * word_bytes, m.format.group, scale, bias, round,
                            out + g * bytes);
  }
  return std::nullopt;
}

}  // namespace

const MlxFormat& MlxQuantization::of(std::string_view module) const {
  const auto own = others.find(module);
  return own == others.end() ? format : own->second;
}

std::string MlxQuantization::name() const { return fmt::format("MLX {}-bit", format.bits); }

std::optional<MlxQuantization> read_mlx_quantization(const Directory& directory) {
  const char* file = "config.json";
  if (!directory.contains(file)) return std::nullopt;
  std::optional<Json> document;
  try {
    document = Json::parse(directory.read_file(file, kMostMlxConfig), directory.shown(file));
  } catch (const Error&) {
    return std::nullopt;  // read_config() says what is wrong with it
  }
  const Json* record = document->find("quantization");
  if (record == nullptr || record->is_null()) return std::nullopt;
  MlxQuantization all{.where = directory.shown(file) + ": quantization"};
  const auto members = record->members(all.where);
  all.format = read_format(*record, all.where);
  for (const auto& [name, value] : members) {
    if (value.is_object()) {
      all.others.emplace(name, read_format(value, fmt::format("{}.{}", all.where, name)));
    }
  }
  return all;
}

std::optional<int64_t> dequantise(const MlxMatrix& m, std::span<const std::byte> words,
                                  std::span<const std::byte> scales,
                                  std::span<const std::byte> biases, std::span<std::byte> out) {
  const int64_t element = size_of(m.dtype), group_bytes = m.format.group * element;
  const auto groups = static_cast<int64_t>(scales.size()) / element;
  check(biases.size() == scales.size() &&
            static_cast<int64_t>(out.size()) == groups * group_bytes &&
            static_cast<int64_t>(words.size()) == groups * m.format.group * m.format.bits / 8,
        "dequantise: the parts of the same rows");
  const auto run = [&](const auto& round) {
    const auto of = [&]<int kBits>() {
      return dequantise_rows<kBits>(m, words.data(), scales.data(), biases.data(), groups, round,
                                    out.data());
    };
    return m.format.bits == 4 ? of.template operator()<4>() : of.template operator()<8>();
  };
  if (m.dtype == DType::kF16) return run(ToF16{});
  if (m.dtype == DType::kBf16) return run(ToBf16{});
  return run(ToF32{});
}

}  // namespace bifrons
