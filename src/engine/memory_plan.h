// Memory plan: every buffer that a run will hold, computed from config and options before anything
// is allocated.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "kernels/tensor.h"
#include "src/bifrons.h"
#include "src/model/config.h"

namespace bifrons {

// How a plan's numbers are kept: weights as stored, and keys and values.
struct PlanFormats {
  DType stored;
  KvFormat kv;

  // NOLINTNEXTLINE(google-explicit-constructor): a dtype alone says all but the unusual
  PlanFormats(DType stored_, KvFormat kv_ = KvFormat::kStored) : stored(stored_), kv(kv_) {}
};

// Most pictures that one pass of the VQ decoder takes on a GPU. They take memory only if it is at
// most this part of what weights and lanes leave free.
inline constexpr int64_t kMostDecodedTogether = 4, kShareOfDecoder = 8;

// The plan for drawing so many `pictures` at once, in the memory of a host or of a GPU. With a GPU
// a large text embedding stays in host memory. `speculate` is that of EngineOptions. What an edit
// takes is counted for a model that sees only, because others refuse it. `together`: pictures in a
// pass of the VQ decoder.
std::vector<MemoryItem> memory_plan(const Config& config, PlanFormats formats, int64_t pictures,
                                    const PlannedPictures& planned,
                                    MemorySpace space = MemorySpace::kHost, int speculate = 0,
                                    int64_t together = 1);
// The same for prompts of up to `prompt_tokens`.
inline std::vector<MemoryItem> memory_plan(const Config& config, PlanFormats formats,
                                           int64_t pictures, int64_t prompt_tokens,
                                           MemorySpace space = MemorySpace::kHost,
                                           int speculate = 0) {
  return memory_plan(config, formats, pictures, PlannedPictures{.prompt_tokens = prompt_tokens},
                     space, speculate);
}

// Rows of a planned picture, and the length of its prompt with the pictures in it, as far as the
// model's positions allow.
struct PlannedRows {
  int64_t rows = 2;
  int64_t prompt_tokens = 0;
};
PlannedRows planned_rows(const Config& config, const PlannedPictures& planned);

// Additional memory for understanding (the config must describe a tower): the parts that are loaded
// only when a picture is shown, and the keys and values of a conversation of `tokens`.
std::vector<MemoryItem> understanding_plan(const Config& config, PlanFormats formats,
                                           int64_t tokens);

// Number of lanes that draw_batch() chooses, with the weights loaded: at most as many as are
// useful, and as fit `free_bytes` of a device or, without that, half of the host's free memory.
int lanes_that_fit(std::optional<int64_t> free_bytes, const Config& config, PlanFormats formats,
                   int speculate = 0, const PlannedPictures& planned = {});

// Pictures that one pass of the VQ decoder takes beside so many lanes, with the weights loaded: at
// most kMostDecodedTogether and one for each lane, and as many as are within the decoder's share of
// what the lanes leave of `free_bytes`, and within `limit` bytes of the whole plan, if not 0.
int64_t decoded_together(int64_t free_bytes, int64_t limit, const Config& config,
                         PlanFormats formats, int64_t lanes, int speculate = 0,
                         const PlannedPictures& planned = {});

// What EngineOptions::max_memory allows.
struct MemoryLimit {
  int64_t bytes = 0;
  bool int8_kv_if_needed = false;
};
struct WithinLimit {
  int most_lanes = 0;
  KvFormat kv = KvFormat::kStored;
};
// The largest number of lanes whose plan is within the limit; with keys and values in 8 bits if one
// lane is not without them, and they are allowed. Throws Error (unavailable), with what is needed
// and what would fit, when no lane is.
WithinLimit lanes_within(const MemoryLimit& limit, const Config& config, PlanFormats formats,
                         MemorySpace space, int speculate = 0, const PlannedPictures& planned = {});

// Planned length of prompts that are not known yet.
inline constexpr int64_t kPlannedPromptTokens = Engine::kPlannedPromptTokens;

// Throws Error (unavailable) when `free_bytes` of a device, or of a host, do not hold the plan. The
// message says what is needed, what is free, and what would fit: fewer pictures, --kv int8, fewer
// bits a weight. Without `free_bytes` nothing is checked.
void check_fits(std::optional<int64_t> free_bytes, const Config& config, PlanFormats formats,
                int64_t pictures, int speculate = 0, const PlannedPictures& planned = {},
                MemorySpace space = MemorySpace::kDevice);

// What programs of this host can get at most: free memory, caches and swap space, or less where a
// control group (a container) limits it. Nothing where the system does not tell.
std::optional<int64_t> obtainable_memory();

// Whether every matrix that config.loaded quantises divides into groups.
bool divides_into_groups(const Config& config);

int64_t total_bytes(const std::vector<MemoryItem>& plan);

}  // namespace bifrons
