// Visitor interface for the list of a network's weights: names, shapes and destinations.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "kernels/weights.h"

namespace bifrons {

// One published matrix that becomes the rows [.., out) of a stacked Linear.
struct LinearPart {
  std::string name;  // without ".weight" and ".bias"
  int64_t out = 0;
};

// How a Linear is stored: as a matrix [out, in], as a 1x1 convolution [out, in, 1, 1], or as a
// convolution over the patches of a picture, [out, 3, p, p] with in = 3 p^2.
enum class LinearForm { kMatrix, kConvolution, kPatches };

// The fewest bits that a Linear keeps in a quantised model. What measurably costs quality with 4
// bits keeps 8 (docs/quantization.md).
enum class FewestBits : uint8_t { k16, k8, k4 };

// The format of a Linear in a model that is loaded with --weights int8 or int4.
constexpr LinearFormat format_for(LinearFormat model, FewestBits fewest) {
  if (model == LinearFormat::kStored || fewest == FewestBits::k16) return LinearFormat::kStored;
  return fewest == FewestBits::k8 ? LinearFormat::kInt8 : model;
}

// Transformation of a table's rows when it is bound.
enum class TableRows { kAsStored, kUnitLength };

// A network's visit(weights, visitor) calls these functions once per weight, in a fixed order, with
// names of the original form (docs/janus-pro.md 2.1). Loading, checking, counting and inspecting
// are visitors.
class WeightVisitor {
 public:
  virtual ~WeightVisitor() = default;
  virtual void linear(Linear& weight, std::span<const LinearPart> parts, int64_t in, bool bias,
                      LinearForm form = LinearForm::kMatrix,
                      FewestBits fewest = FewestBits::k16) = 0;
  virtual void convolution(Convolution& weight, const std::string& name, int64_t out, int64_t in,
                           int64_t kernel, Padding padding) = 0;
  virtual void norm(Norm& weight, const std::string& name, int64_t size, bool bias) = 0;
  virtual void table(Table& weight, const std::string& name, int64_t rows, int64_t cols,
                     TableRows form = TableRows::kAsStored) = 0;
  // A learned table, stored under its bare name (no ".weight") as [1, rows, cols].
  virtual void positions(Table& weight, const std::string& name, int64_t rows, int64_t cols) = 0;

  void linear(Linear& weight, const std::string& name, int64_t out, int64_t in, bool bias,
              LinearForm form = LinearForm::kMatrix, FewestBits fewest = FewestBits::k16) {
    const LinearPart part{name, out};
    linear(weight, std::span(&part, 1), in, bias, form, fewest);
  }
};

}  // namespace bifrons
