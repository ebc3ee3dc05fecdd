// Finds the packed matrices among the tensors of a checkpoint: the words, and the scales and biases
// beside them.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "src/weights/container.h"
#include "src/weights/mlx.h"

namespace bifrons {

// A tensor of one of several files.
struct FoundTensor {
  size_t file = 0;
  TensorEntry entry;
};

struct PackedTensor {
  std::string name;  // of the matrix that it stands for: "....weight"
  MlxMatrix matrix;
  FoundTensor words, scales, biases;
};

// Takes the tensors of packed matrices out of `all`, which is sorted by name: NAME.weight of U32
// with NAME.scales and NAME.biases beside it. `directory` is for messages. Throws Error (data): one
// of the three is missing, or their types or shapes do not agree with the record; there is none.
std::vector<PackedTensor> take_packed_tensors(std::vector<FoundTensor>& all,
                                              const MlxQuantization& quantization,
                                              const std::string& directory);

}  // namespace bifrons
