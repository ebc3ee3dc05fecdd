// Groups words, scales and biases to packed matrices, and checks that they fit together.
#include "src/weights/packed_tensors.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <optional>
#include <string_view>

#include "kernels/error.h"
#include "src/io/quote.h"

namespace bifrons {
namespace {

constexpr std::string_view kWeight = ".weight", kScales = ".scales", kBiases = ".biases";

class Packing {
 public:
  Packing(std::vector<FoundTensor>& all, const MlxQuantization& quantization,
          const std::string& directory)
      : all_(all), quantization_(quantization), directory_(directory), taken_(all.size(), false) {}

  std::vector<PackedTensor> run() {
    std::vector<PackedTensor> packed;
    for (size_t i = 0; i < all_.size(); ++i) {
      const TensorEntry& entry = all_[i].entry;
      if (entry.name.ends_with(kWeight) && is_packed(entry)) packed.push_back(take(i));
    }
    for (size_t i = 0; i < all_.size(); ++i) {
      const std::string& name = all_[i].entry.name;
      if (!taken_[i] && name.ends_with(kScales)) {
        fail(name, fmt::format("stands beside no packed {}", kWeight.substr(1)));
      }
    }
    if (packed.empty()) {
      throw Error(ErrorKind::kData,
                  fmt::format("{} says that weights are packed, but the files hold none",
                              quantization_.where));
    }
    std::vector<FoundTensor> rest;
    for (size_t i = 0; i < all_.size(); ++i) {
      if (!taken_[i]) rest.push_back(std::move(all_[i]));
    }
    all_ = std::move(rest);
    return packed;
  }

 private:
  static bool is_packed(const TensorEntry& entry) { return entry.stored_type == "U32"; }

  [[noreturn]] void fail(const std::string& name, const std::string& reason) const {
    throw Error(ErrorKind::kData,
                fmt::format("{}: tensor {} {}", quote(directory_), quote(name), reason));
  }

  const FoundTensor& beside(const std::string& weight, const std::string& module,
                            std::string_view ending) {
    const std::string name = module + std::string(ending);
    const auto at = std::lower_bound(
        all_.begin(), all_.end(), name,
        [](const FoundTensor& t, const std::string& wanted) { return t.entry.name < wanted; });
    if (at == all_.end() || at->entry.name != name) {
      fail(name, fmt::format("is missing: {} is packed and needs it; download the files again",
                             quote(weight)));
    }
    taken_[static_cast<size_t>(at - all_.begin())] = true;
    return *at;
  }

  PackedTensor take(size_t i) {
    const FoundTensor& words = all_[i];
    const std::string& name = words.entry.name;
    const std::string module = name.substr(0, name.size() - kWeight.size());
    taken_[i] = true;
    const FoundTensor &scales = beside(name, module, kScales),
                      &biases = beside(name, module, kBiases);
    return {name, matrix_of(module, words.entry, scales.entry, biases.entry), words, scales,
            biases};
  }

  MlxMatrix matrix_of(const std::string& module, const TensorEntry& words,
                      const TensorEntry& scales, const TensorEntry& biases) const {
    const MlxFormat& format = quantization_.of(module);
    if (words.shape.size() != 2) fail(words.name, "is packed, but is no matrix");
    if (!scales.dtype) {
      fail(scales.name,
           fmt::format("is {}, and scales of bf16, f16 and f32 are read", scales.stored_type));
    }
    if (biases.dtype != scales.dtype) {
      fail(biases.name, fmt::format("is {}, but {} is {}", biases.stored_type, quote(scales.name),
                                    scales.stored_type));
    }
    MlxMatrix matrix{format, *scales.dtype, words.shape[0], words.shape[1] * (32 / format.bits)};
    if (matrix.columns % format.group != 0) {
      fail(words.name, fmt::format("has {} columns of {} bits, which groups of {} do not divide",
                                   matrix.columns, format.bits, format.group));
    }
    const std::vector<int64_t> groups{matrix.rows, matrix.groups()};
    for (const TensorEntry* of : {&scales, &biases}) {
      if (of->shape == groups) continue;
      fail(of->name,
           fmt::format("is [{}] where [{}] of {} in groups of {} with {} bits need [{}]",
                       fmt::join(of->shape, ", "), fmt::join(words.shape, ", "), quote(words.name),
                       format.group, format.bits, fmt::join(groups, ", ")));
    }
    return matrix;
  }

  std::vector<FoundTensor>& all_;
  const MlxQuantization& quantization_;
  const std::string& directory_;
  std::vector<bool> taken_;
};

}  // namespace

std::vector<PackedTensor> take_packed_tensors(std::vector<FoundTensor>& all,
                                              const MlxQuantization& quantization,
                                              const std::string& directory) {
  return Packing(all, quantization, directory).run();
}

}  // namespace bifrons
