// The thoughts in progress of the lanes, and the memory of their steps.
#pragma once

#include <map>
#include <memory>
#include <vector>

#include "src/engine/lanes.h"

namespace bifrons {

// Settings of n rows, one for each thought, as 32-bit words that are uploaded at once: every upload
// waits for the device.
struct ThoughtControls {
  Tensor ids, sequence, position;  // i32 [n]
  SampleControls sample;

  static constexpr int64_t kWords = 9;  // of a row
  // In `words`, which has room for n kWords.
  ThoughtControls(const Buffer& words, int64_t n);
};

struct Lanes::Thoughts {
  const TextHead* head = nullptr;
  std::vector<ThoughtTask> tasks;
  std::vector<int32_t> lanes;  // of each task

  int64_t room = 0;  // rows that the buffers hold
  Buffer words;      // ThoughtControls
  Buffer inputs;     // x [room, D]
  Buffer hidden;     // [room, D]
  Buffer logits;     // f32 [room, vocabulary]
  Buffer sampled;    // i32 [2 room]
  // By number of rows.
  std::map<int64_t, std::unique_ptr<CapturedStep>> captured;
};

}  // namespace bifrons
