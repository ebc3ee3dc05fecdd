// Every buffer a run will hold, computed from config and options before anything is allocated.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "src/model/config.h"
#include "kernels/tensor.h"

namespace bifrons {

struct MemoryItem {
  std::string name;
  int64_t bytes = 0;
};

// Drawing `pictures` at once with prompts of up to `prompt_tokens`, weights kept as stored.
std::vector<MemoryItem> memory_plan(const Config& config, DType weights, int64_t pictures,
                                    int64_t prompt_tokens);

// How many lanes draw_batch() takes by itself: at most what is worth while in such a place, and on a
// host no more than half of the memory that is free has room for.
int lanes_that_fit(const Config& config, DType weights, Place place);

int64_t total_bytes(const std::vector<MemoryItem>& plan);

}  // namespace bifrons
