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

// Transformation of a table's rows when it is bound.
enum class TableRows { kAsStored, kUnitLength };

// A network's visit(weights, visitor) calls these functions once per weight, in a fixed order, with
// names of the original form (docs/janus-pro.md 2.1). Loading, checking, counting and inspecting
// are visitors.
class WeightVisitor {
 public:
  virtual ~WeightVisitor() = default;
  virtual void linear(Linear& weight, std::span<const LinearPart> parts, int64_t in, bool bias,
                      LinearForm form = LinearForm::kMatrix) = 0;
  virtual void convolution(Convolution& weight, const std::string& name, int64_t out, int64_t in,
                           int64_t kernel, Padding padding) = 0;
  virtual void norm(Norm& weight, const std::string& name, int64_t size, bool bias) = 0;
  virtual void table(Table& weight, const std::string& name, int64_t rows, int64_t cols,
                     TableRows form = TableRows::kAsStored) = 0;
  // A learned table, stored under its bare name (no ".weight") as [1, rows, cols].
  virtual void positions(Table& weight, const std::string& name, int64_t rows, int64_t cols) = 0;

  void linear(Linear& weight, const std::string& name, int64_t out, int64_t in, bool bias,
              LinearForm form = LinearForm::kMatrix) {
    const LinearPart part{name, out};
    linear(weight, std::span(&part, 1), in, bias, form);
  }
};

}  // namespace bifrons
