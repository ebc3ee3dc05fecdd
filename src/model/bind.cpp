// Compares the names, shapes and bytes of a checkpoint with the network's list of weights.
#include "src/model/bind.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "src/io/quote.h"
#include "src/weights/finite.h"

namespace bifrons {
namespace {

float load_element(const HostArray& array, int64_t i) {
  const std::byte* p = array.data + i * size_of(array.dtype);
  uint16_t half = 0;
  float full = 0;
  switch (array.dtype) {
    case DType::kBf16:
      std::memcpy(&half, p, sizeof half);
      return to_float(Bf16{half});
    case DType::kF16:
      std::memcpy(&half, p, sizeof half);
      return to_float(F16{half});
    default:
      std::memcpy(&full, p, sizeof full);
      return full;
  }
}

// Rows divided by max(length, 1e-12), as F.normalize computes it in `dtype`: in bf16 the length and
// the quotient are each rounded (docs/janus-pro.md 3.4). Throws Error (data), naming the tensor,
// when a quotient is not finite: a code that no picture uses would hide it, and encoding would pass
// over it as if it were far away.
std::vector<std::byte> unit_rows(const HostArray& table, DType dtype, const std::string& name) {
  const bool bf16 = dtype == DType::kBf16;
  std::vector<std::byte> out(table.rows * table.cols * size_of(dtype));
  for (int64_t r = 0; r < table.rows; ++r) {
    double square = 0;
    for (int64_t c = 0; c < table.cols; ++c) {
      const double x = load_element(table, r * table.cols + c);
      square += x * x;
    }
    float length = static_cast<float>(std::sqrt(square));
    if (bf16) length = round_to_bf16(length);
    length = std::max(length, 1e-12f);
    for (int64_t c = 0; c < table.cols; ++c) {
      const int64_t i = r * table.cols + c;
      const float x = load_element(table, i) / length;
      if (!std::isfinite(x)) {
        throw Error(ErrorKind::kData,
                    fmt::format("{}: row {} holds numbers that are not finite: the weights are "
                                "damaged",
                                quote(name), r));
      }
      if (bf16) {
        const Bf16 stored = to_bf16(x);
        std::memcpy(out.data() + i * 2, &stored, 2);
      } else {
        std::memcpy(out.data() + i * 4, &x, 4);
      }
    }
  }
  return out;
}

}  // namespace

void TensorList::linear(Linear&, std::span<const LinearPart> parts, int64_t in, bool bias,
                        LinearForm form, FewestBits fewest) {
  for (const LinearPart& part : parts) {
    std::vector<int64_t> shape{part.out, in};
    if (form == LinearForm::kConvolution) shape.insert(shape.end(), {1, 1});
    if (form == LinearForm::kPatches) {
      const auto side = static_cast<int64_t>(std::lround(std::sqrt(in / 3)));
      shape = {part.out, 3, side, side};
    }
    tensors_.push_back({part.name + ".weight", shape, fewest});
    if (bias) tensors_.push_back({part.name + ".bias", {part.out}});
  }
}

void TensorList::convolution(Convolution&, const std::string& name, int64_t out, int64_t in,
                             int64_t kernel, Padding) {
  tensors_.push_back({name + ".weight", {out, in, kernel, kernel}});
  tensors_.push_back({name + ".bias", {out}});
}

void TensorList::norm(Norm&, const std::string& name, int64_t size, bool bias) {
  tensors_.push_back({name + ".weight", {size}});
  if (bias) tensors_.push_back({name + ".bias", {size}});
}

void TensorList::table(Table&, const std::string& name, int64_t rows, int64_t cols, TableRows) {
  tensors_.push_back({name + ".weight", {rows, cols}});
}

void TensorList::positions(Table&, const std::string& name, int64_t rows, int64_t cols) {
  tensors_.push_back({name, {1, rows, cols}});
}

void Staging::reserve(int64_t bytes) {
  constexpr int64_t kKept = 64 << 20;
  taken_ = 0;
  if (bytes <= room_ && (room_ <= kKept || room_ <= 2 * bytes)) return;
  bytes_.reset();
  room_ = 0;
  bytes_ = std::make_unique_for_overwrite<std::byte[]>(static_cast<size_t>(bytes + kUnit));
  room_ = bytes;
}

std::span<std::byte> Staging::take(int64_t bytes) {
  check(bytes >= 0 && taken_ + rounded(bytes) <= room_, "staging: more than was reserved");
  const auto begin = reinterpret_cast<uintptr_t>(bytes_.get());
  const int64_t aligned = rounded(static_cast<int64_t>(begin % kUnit)) - begin % kUnit;
  const std::span<std::byte> taken(bytes_.get() + aligned + taken_, static_cast<size_t>(bytes));
  taken_ += rounded(bytes);
  return taken;
}

std::vector<HostArray> WeightLoader::read(std::span<const Wanted> wanted) {
  std::vector<const StoredTensor*> stored;
  int64_t bytes = 0;
  for (const Wanted& one : wanted) {
    stored.push_back(published_.find(one.name));
    check(stored.back() != nullptr, "weight loader: check_tensors comes first");
    check(stored.back()->bytes == one.rows * one.cols * size_of(stored.back()->dtype),
          "weight loader: size of a tensor");
    bytes += Staging::rounded(stored.back()->bytes);
  }
  staging_.reserve(bytes);
  std::vector<HostArray> arrays;
  for (size_t i = 0; i < wanted.size(); ++i) {
    const std::span<std::byte> room = staging_.take(stored[i]->bytes);
    published_.checkpoint().read(*stored[i], 0, room);
    arrays.push_back({room.data(), stored[i]->dtype, wanted[i].rows, wanted[i].cols});
  }
  return arrays;
}

HostArray WeightLoader::read(const std::string& name, int64_t rows, int64_t cols) {
  const Wanted one{name, rows, cols};
  return read({&one, 1}).front();
}

namespace {

[[noreturn]] void refuse_numbers(const std::string& name) {
  throw Error(ErrorKind::kData,
              fmt::format("tensor {}: holds numbers that are not finite: the weights are damaged",
                          quote(name)));
}

}  // namespace

QuantisedArray WeightLoader::read_quantised(const Wanted& wanted, LinearFormat format,
                                            std::vector<std::byte>& bytes) {
  const SkippedTensor* values =
      published_.checkpoint().find_skipped(published_.published_name(wanted.name));
  const StoredTensor* scales = published_.find(scale_name(wanted.name));
  const int64_t value_size = wanted.rows * value_bytes(format, wanted.cols);
  const int64_t scale_size = wanted.rows * scale_bytes(format, wanted.cols);
  check(values != nullptr && values->bytes == value_size && scales != nullptr &&
            scales->bytes == scale_size,
        "weight loader: check_tensors comes first");
  bytes.resize(static_cast<size_t>(value_size + scale_size));
  const auto of_values = std::span(bytes).first(static_cast<size_t>(value_size));
  const auto of_scales = std::span(bytes).subspan(static_cast<size_t>(value_size));
  published_.checkpoint().read(*values, 0, of_values);
  published_.checkpoint().read(*scales, 0, of_scales);
  if (first_not_finite(DType::kBf16, of_scales)) refuse_numbers(scales->name);
  return {of_values.data(), of_scales.data(), format, wanted.rows, wanted.cols};
}

QuantisedArray WeightLoader::quantise(const Wanted& wanted, LinearFormat format,
                                      std::vector<std::byte>& bytes) {
  if (!quantiser_) quantiser_ = std::make_unique<Quantiser>();
  const HostArray full = read(wanted.name, wanted.rows, wanted.cols);
  const int64_t value_size = wanted.rows * value_bytes(format, wanted.cols);
  bytes.resize(static_cast<size_t>(value_size + wanted.rows * scale_bytes(format, wanted.cols)));
  const auto values = std::span(bytes).first(static_cast<size_t>(value_size));
  const auto scales = std::span(bytes).subspan(static_cast<size_t>(value_size));
  if (!quantiser_->quantise(full, format, values, scales)) {
    refuse_numbers(published_.published_name(wanted.name));
  }
  return {values.data(), scales.data(), format, wanted.rows, wanted.cols};
}

void WeightLoader::linear(Linear& weight, std::span<const LinearPart> parts, int64_t in, bool bias,
                          LinearForm, FewestBits fewest) {
  std::vector<Wanted> matrices, biases;
  for (const LinearPart& part : parts) {
    for (const NeededTensor& piece : published_.pieces_of({part.name + ".weight", {part.out}})) {
      matrices.push_back({piece.name, piece.shape[0], in});
    }
    if (!bias) continue;
    for (const NeededTensor& piece : published_.pieces_of({part.name + ".bias", {part.out}})) {
      biases.push_back({piece.name, 1, piece.shape[0]});
    }
  }
  const LinearFormat format = format_for(formats_.loaded, fewest);
  if (format == LinearFormat::kStored) {
    std::vector<Wanted> all = matrices;
    all.insert(all.end(), biases.begin(), biases.end());
    const std::vector<HostArray> arrays = read(all);
    weight = backend_.make_linear(std::span(arrays).first(matrices.size()),
                                  std::span(arrays).subspan(matrices.size()));
    return;
  }
  std::vector<std::vector<std::byte>> bytes(matrices.size());
  std::vector<QuantisedArray> arrays;
  for (size_t i = 0; i < matrices.size(); ++i) {
    arrays.push_back(formats_.in_files == LinearFormat::kStored
                         ? quantise(matrices[i], format, bytes[i])
                         : read_quantised(matrices[i], format, bytes[i]));
  }
  weight = backend_.make_quantised_linear(arrays, read(biases));
}

void WeightLoader::convolution(Convolution& weight, const std::string& name, int64_t out,
                               int64_t in, int64_t kernel, Padding padding) {
  const Wanted wanted[] = {{name + ".weight", out, in * kernel * kernel}, {name + ".bias", 1, out}};
  const std::vector<HostArray> arrays = read(wanted);
  weight = backend_.make_convolution(arrays[0], arrays[1], kernel, padding);
}

void WeightLoader::norm(Norm& weight, const std::string& name, int64_t size, bool bias) {
  std::vector<Wanted> wanted{{name + ".weight", 1, size}};
  if (bias) wanted.push_back({name + ".bias", 1, size});
  const std::vector<HostArray> arrays = read(wanted);
  weight = backend_.make_norm(arrays[0], bias ? &arrays[1] : nullptr);
}

void WeightLoader::table(Table& weight, const std::string& name, int64_t rows, int64_t cols,
                         TableRows form) {
  const HostArray stored = read(name + ".weight", rows, cols);
  if (form == TableRows::kAsStored) {
    weight = backend_.make_table(stored);
  } else {
    const std::vector<std::byte> unit =
        unit_rows(stored, activation_, published_.published_name(name + ".weight"));
    weight = backend_.make_table({unit.data(), activation_, rows, cols});
  }
}

void WeightLoader::positions(Table& weight, const std::string& name, int64_t rows, int64_t cols) {
  weight = backend_.make_table(read(name, rows, cols));
}

}  // namespace bifrons
