// The file that torch.save writes: a ZIP of one pickle and raw storages.
#pragma once

#include "src/io/byte_source.h"
#include "src/weights/container.h"

namespace bifrons {

// Reads directory and pickle and checks that every tensor lies within its storage and every storage
// is the entry it says; no weights are read. Tensors whose strides are a permutation of contiguous
// ones (channels-last) carry them; all other views are refused. Throws Error (data); files of
// PyTorch before 1.6, tar files and TorchScript are refused with a way to convert them.
Container read_torch_file(const ByteSource& file);

}  // namespace bifrons
