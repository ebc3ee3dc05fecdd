// Reader for the pickle in a torch.save file. It treats the pickle as data: a stack machine of 27
// opcodes that knows three functions and the storage types and calls no Python code.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace bifrons {

// A storage that the pickle refers to: entry "data/<key>" of the archive.
struct PickledStorage {
  std::string key;   // digits
  std::string type;  // "BFloat16Storage"
  int64_t element_bytes = 0;
  int64_t elements = 0;
};

// A view of a storage; offset and strides in elements. Only two things are checked so far: the
// numbers are below kSizeLimit, and the rank is at most kMaxTensorRank.
struct PickledTensor {
  size_t storage = 0;  // index into PickledTensors::storages
  int64_t offset = 0;
  std::vector<int64_t> shape;
  std::vector<int64_t> strides;  // one per dimension; not negative
};

struct NamedPickledTensor {
  std::string name;
  PickledTensor tensor;
};

struct PickledTensors {
  std::vector<PickledStorage> storages;     // keys are unique
  std::vector<NamedPickledTensor> tensors;  // names are unique
};

// Reads a pickle of protocol 2 whose value is a dict or OrderedDict from names to tensors. `where`
// names the file in messages. Throws Error (data): any other opcode or global (by name and offset),
// a value of the wrong type, or an exceeded limit. Time and memory are linear in the number of
// bytes.
PickledTensors read_pickle(std::string_view bytes, const std::string& where);

}  // namespace bifrons
