// Names, shapes and bytes of a checkpoint meet the network's list here.
#include "src/model/bind.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cmath>
#include <cstring>

#include "src/io/quote.h"
#include "src/weights/names.h"

namespace bifrons {
namespace {

constexpr size_t kNamedInOneMessage = 12;

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

// Rows divided by max(length, 1e-12) as F.normalize does it in `dtype`: in bf16 the length and the
// quotient are each rounded (spec 3.4).
std::vector<std::byte> unit_rows(const HostArray& table, DType dtype) {
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
                        LinearForm form) {
  for (const LinearPart& part : parts) {
    std::vector<int64_t> shape{part.out, in};
    if (form == LinearForm::kConvolution) shape.insert(shape.end(), {1, 1});
    if (form == LinearForm::kPatches) {
      const auto side = static_cast<int64_t>(std::lround(std::sqrt(in / 3)));
      shape = {part.out, 3, side, side};
    }
    tensors_.push_back({part.name + ".weight", shape});
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

PublishedTensors::PublishedTensors(const Checkpoint& checkpoint)
    : checkpoint_(checkpoint),
      hugging_face_(checkpoint.find("gen_embed.weight") == nullptr &&
                    checkpoint.find("model.generation_embeddings.weight") != nullptr) {}

std::string PublishedTensors::published_name(const std::string& original) const {
  return hugging_face_ ? hugging_face_name(original) : original;
}

const StoredTensor* PublishedTensors::find(const std::string& original) const {
  return checkpoint_.find(published_name(original));
}

std::vector<NeededTensor> PublishedTensors::pieces_of(const NeededTensor& tensor) const {
  if (!hugging_face_) return {tensor};
  if (tensor.name.ends_with(".pos_embed")) {
    return {{tensor.name, {tensor.shape.begin() + 1, tensor.shape.end()}}};
  }
  constexpr std::string_view kMerged = ".attn.qkv.";
  const size_t at = tensor.name.find(kMerged);
  if (at == std::string::npos) return {tensor};
  std::vector<NeededTensor> pieces;
  for (const char* part : {".attn.q_proj.", ".attn.k_proj.", ".attn.v_proj."}) {
    pieces.push_back(tensor);
    pieces.back().name.replace(at, kMerged.size(), part);
    pieces.back().shape[0] /= 3;
  }
  return pieces;
}

void check_tensors(const PublishedTensors& published, const std::vector<NeededTensor>& needed,
                   const std::string& directory) {
  std::vector<std::string> faults;
  std::vector<NeededTensor> pieces;
  for (const NeededTensor& need : needed) {
    for (NeededTensor& piece : published.pieces_of(need)) pieces.push_back(std::move(piece));
  }
  size_t count = 0;
  for (const NeededTensor& need : pieces) {
    const std::string name = published.published_name(need.name);
    const StoredTensor* stored = published.find(need.name);
    std::string fault;
    if (stored == nullptr) {
      fault = fmt::format("{} is missing", name);
    } else if (stored->shape != need.shape) {
      fault = fmt::format("{} is [{}] where config.json asks for [{}]", name,
                          fmt::join(stored->shape, ", "), fmt::join(need.shape, ", "));
    }
    if (fault.empty()) continue;
    if (++count <= kNamedInOneMessage) faults.push_back(fault);
  }
  if (count == 0) return;
  std::string sentence = fmt::format("{}: {} of {} tensors do not fit: {}", quote(directory), count,
                                     pieces.size(), fmt::join(faults, "; "));
  if (count > faults.size()) sentence += fmt::format("; and {} more", count - faults.size());
  throw Error(ErrorKind::kData, sentence);
}

HostArray WeightLoader::array(const std::string& name, int64_t rows, int64_t cols) const {
  const StoredTensor* stored = published_.find(name);
  check(stored != nullptr, "weight loader: check_tensors comes first");
  check(stored->bytes == rows * cols * size_of(stored->dtype), "weight loader: size of a tensor");
  return {stored->data, stored->dtype, rows, cols};
}

void WeightLoader::release(const std::string& name) const {
  published_.checkpoint().release(*published_.find(name));
}

void WeightLoader::linear(Linear& weight, std::span<const LinearPart> parts, int64_t in, bool bias,
                          LinearForm) {
  std::vector<HostArray> matrices, biases;
  std::vector<std::string> names;
  for (const LinearPart& part : parts) {
    for (const NeededTensor& piece : published_.pieces_of({part.name + ".weight", {part.out}})) {
      matrices.push_back(array(piece.name, piece.shape[0], in));
      names.push_back(piece.name);
    }
    if (!bias) continue;
    for (const NeededTensor& piece : published_.pieces_of({part.name + ".bias", {part.out}})) {
      biases.push_back(array(piece.name, 1, piece.shape[0]));
    }
  }
  weight = backend_.make_linear(matrices, biases);
  for (const std::string& name : names) release(name);
}

void WeightLoader::convolution(Convolution& weight, const std::string& name, int64_t out,
                               int64_t in, int64_t kernel, Padding padding) {
  weight = backend_.make_convolution(array(name + ".weight", out, in * kernel * kernel),
                                     array(name + ".bias", 1, out), kernel, padding);
  release(name + ".weight");
}

void WeightLoader::norm(Norm& weight, const std::string& name, int64_t size, bool bias) {
  const HostArray scale = array(name + ".weight", 1, size);
  if (!bias) {
    weight = backend_.make_norm(scale, nullptr);
    return;
  }
  const HostArray shift = array(name + ".bias", 1, size);
  weight = backend_.make_norm(scale, &shift);
}

void WeightLoader::table(Table& weight, const std::string& name, int64_t rows, int64_t cols,
                         TableRows form) {
  const HostArray stored = array(name + ".weight", rows, cols);
  if (form == TableRows::kAsStored) {
    weight = backend_.make_table(stored);
  } else {
    const std::vector<std::byte> unit = unit_rows(stored, activation_);
    weight = backend_.make_table({unit.data(), activation_, rows, cols});
  }
  release(name + ".weight");
}

void WeightLoader::positions(Table& weight, const std::string& name, int64_t rows, int64_t cols) {
  weight = backend_.make_table(array(name, rows, cols));
  release(name);
}

}  // namespace bifrons
