// Copies a tensor with permuted strides into contiguous order.
#include "src/weights/permute.h"

#include <cstring>

#include "kernels/error.h"

namespace bifrons {

std::vector<std::byte> to_contiguous(std::span<const std::byte> raw,
                                     const std::vector<int64_t>& shape,
                                     const std::vector<int64_t>& strides, int64_t element_bytes) {
  check(shape.size() == strides.size() && !shape.empty(), "permute: a stride for each dimension");
  std::vector<std::byte> ordered(raw.size());
  std::vector<int64_t> index(shape.size(), 0);
  int64_t from = 0;  // index of the element in `raw`
  const auto width = static_cast<size_t>(element_bytes);
  for (size_t to = 0; to < ordered.size(); to += width) {
    const auto source = static_cast<size_t>(from * element_bytes);
    check(source + width <= raw.size(), "permute: strides lead outside of the elements");
    std::memcpy(ordered.data() + to, raw.data() + source, width);
    for (size_t d = shape.size(); d-- > 0;) {
      from += strides[d];
      if (++index[d] < shape[d]) break;
      from -= strides[d] * shape[d];
      index[d] = 0;
    }
  }
  return ordered;
}

}  // namespace bifrons
