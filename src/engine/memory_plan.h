// Every buffer a run will hold, computed from config and options before anything is allocated.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "kernels/tensor.h"
#include "src/bifrons.h"
#include "src/model/config.h"

namespace bifrons {

// Drawing `pictures` at once with prompts of up to `prompt_tokens`, weights kept as stored, in the
// memory of a host or of a GPU: there a large text embedding stays with the host.
std::vector<MemoryItem> memory_plan(const Config& config, DType weights, int64_t pictures,
                                    int64_t prompt_tokens, MemorySpace space = MemorySpace::kHost);

// What understanding takes beside that, the config describing a tower: what is loaded only when a
// picture is shown, and the keys and values of a conversation of `tokens`.
std::vector<MemoryItem> understanding_plan(const Config& config, DType weights, int64_t tokens);

// How many lanes draw_batch() takes by itself, the weights being loaded: at most what is worth
// while, and what fits `free_bytes` of a device or, without that, half of what the host has free.
int lanes_that_fit(std::optional<int64_t> free_bytes, const Config& config, DType weights);

// Prompts of this many tokens are planned for when the prompts are not known yet.
inline constexpr int64_t kPlannedPromptTokens = Engine::kPlannedPromptTokens;

// Throws Error (unavailable) when `free_bytes` of a device do not hold the plan: what is needed,
// what is free, and how many pictures at once would fit. No number: nothing is checked.
void check_fits(std::optional<int64_t> free_bytes, const Config& config, DType weights,
                int64_t pictures);

int64_t total_bytes(const std::vector<MemoryItem>& plan);

}  // namespace bifrons
