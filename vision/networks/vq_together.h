// Several pictures in one pass of the VQ decoder: for which numbers of them each picture has the
// bits of a pass of its own.
//
// Our kernels give those bits for every number (tests/kernels/test_picture_laws.cpp). A library may
// choose another kernel with another order of sums for another number of pictures, and promises
// nothing about that. So the device is asked before it decodes several pictures at once.
#pragma once

#include <cstdint>
#include <vector>

#include "vision/networks/vq_decoder.h"

namespace bifrons {

// Element n, for n from 0 to `most`: whether one pass of n pictures on `b` equals n passes of one.
// Elements 0 and 1 are true. Decodes `most` different pictures alone and in passes of 2, 3, ...
// `most`, and compares every byte of the network's output. A sum in another order rounds about one
// element in ten thousand differently, and each layer multiplies the differences, so equal outputs
// mean equal orders. `most` is at most the decoder's capacity. Waits for the device.
std::vector<bool> exact_passes(VqDecoder& decoder, Backend& b, int64_t most);

// Pictures of the next pass while `waiting` ones are left: the largest number that is exact.
int64_t next_pass(const std::vector<bool>& exact, int64_t waiting);

}  // namespace bifrons
