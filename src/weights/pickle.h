// The description of tensors that torch.save writes, read as data: a stack machine of 27
// instructions that can name three functions and the storage types and can call nothing.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace bifrons {

// A storage the pickle refers to: entry "data/<key>" of the archive.
struct PickledStorage {
  std::string key;   // digits
  std::string type;  // "BFloat16Storage"
  int64_t element_bytes = 0;
  int64_t elements = 0;
};

// A view of a storage; offset and strides in elements, nothing about them checked yet but that they
// are below kSizeLimit and the shape's rank is at most kMaxTensorRank.
struct PickledTensor {
  size_t storage = 0;  // index into PickledTensors::storages
  int64_t offset = 0;
  std::vector<int64_t> shape;
  std::vector<int64_t> strides;  // as many as dimensions; not negative
};

struct NamedPickledTensor {
  std::string name;
  PickledTensor tensor;
};

struct PickledTensors {
  std::vector<PickledStorage> storages;     // keys unique
  std::vector<NamedPickledTensor> tensors;  // names unique
};

// Reads a pickle of protocol 2 whose value is a dict or OrderedDict from names to tensors. `where`
// names the file in messages. Throws Error (data): any other instruction or global (by name and
// offset), a wrong type where one is needed, a limit passed. Time and memory are linear in the
// number of bytes.
PickledTensors read_pickle(std::string_view bytes, const std::string& where);

}  // namespace bifrons
