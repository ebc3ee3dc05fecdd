// Arrays in mapped files may be unaligned, so they are read by memcpy.
#include "kernels/host_arrays.h"

#include <cstring>

#include "kernels/elements.h"

namespace bifrons {

bool is_stored(DType type) {
  return type == DType::kF32 || type == DType::kBf16 || type == DType::kF16;
}

namespace {

template <typename Part>
void check_biases(std::span<const Part> parts, std::span<const HostArray> bias) {
  check(!parts.empty(), "make_linear: no parts");
  check(bias.empty() || bias.size() == parts.size(), "make_linear: one bias per part, or none");
  for (size_t i = 0; i < bias.size(); ++i) {
    check(is_stored(bias[i].dtype), "make_linear: biases are f32, bf16 or f16");
    check(bias[i].rows * bias[i].cols == parts[i].rows,
          "make_linear: a bias does not fit its part");
  }
}

}  // namespace

Linear checked_linear(std::span<const QuantisedArray> parts, std::span<const HostArray> bias) {
  check_biases(parts, bias);
  for (const QuantisedArray& part : parts) {
    check(part.format != LinearFormat::kStored && part.format == parts[0].format,
          "make_quantised_linear: the parts differ in format");
    check(part.cols == parts[0].cols, "make_quantised_linear: the parts differ in columns");
    check(part.cols % group_of(part.format) == 0,
          "make_quantised_linear: the columns do not divide into groups");
  }
  Linear linear;
  linear.format = parts[0].format;
  linear.in = parts[0].cols;
  for (const QuantisedArray& part : parts) linear.out += part.rows;
  return linear;
}

void check_parts(std::span<const HostArray> parts, std::span<const HostArray> bias) {
  check_biases(parts, bias);
  for (const HostArray& part : parts) {
    check(is_stored(part.dtype), "make_linear: weights are f32, bf16 or f16");
    check(part.dtype == parts[0].dtype, "make_linear: the parts differ in type");
    check(part.cols == parts[0].cols, "make_linear: the parts differ in columns");
  }
}

std::vector<float> widened_values(std::span<const HostArray> parts) {
  std::vector<float> values;
  for (const HostArray& part : parts) {
    const int64_t n = part.rows * part.cols;
    visit_stored(part.dtype, [&]<typename T>(T) {
      for (int64_t i = 0; i < n; ++i) {
        T x;
        std::memcpy(&x, part.data + i * static_cast<int64_t>(sizeof x), sizeof x);
        values.push_back(to_float(x));
      }
    });
  }
  return values;
}

}  // namespace bifrons
