// Reader for torch.save files: a ZIP archive with one pickle and raw storages.
#pragma once

#include "src/io/byte_source.h"
#include "src/weights/container.h"

namespace bifrons {

// Reads the ZIP directory and the pickle; no weights are read. Checks that each tensor lies within
// its storage and that each storage matches its ZIP entry. Tensors keep strides that are a
// permutation of contiguous strides (channels-last); all other views are refused. Throws Error
// (data). Files from before PyTorch 1.6, tar files and TorchScript are refused with a hint how to
// convert them.
Container read_torch_file(const ByteSource& file);

}  // namespace bifrons
