// Public API for reflection: the model draws, looks at its picture, says whether it matches the
// prompt and why, and if not, draws again (Janus-Pro-R1).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "src/bifrons.h"
#include "src/understand.h"

namespace bifrons {

struct ReflectOptions {
  int64_t rounds = 1;       // most pictures that are drawn again, 1 to kMostReflections
  double temperature = 1;   // of verdict and reason; 0 is greedy
  int64_t top_k = 0;        // of the reason; 0 is off
  int64_t max_tokens = 80;  // of verdict and reason together
};
inline constexpr int64_t kMostReflections = 16;

// A picture and what the model says about it.
struct ReflectedRound {
  Drawing drawing;
  uint64_t seed = 0;    // of the picture's noise
  bool judged = false;  // false: it was the last one allowed
  bool matches = false;
  double yes = 0;      // probability of Yes against No
  std::string reason;  // begins with Yes or No
  std::vector<int32_t> reason_tokens;
};

// At least one round; the last one is the result.
using Reflection = std::vector<ReflectedRound>;

// Throws Error (usage): an option is out of range, or the prompt is so long that picture, reason
// and prompt do not fit the model; (data): the model has no encoder, or does not tell Yes from No.
void check_reflection(Engine& engine, Understanding& understanding, const DrawRequest& request,
                      const ReflectOptions& options);

// Draws `request`, which has no spans, until the model says that the picture matches, or the rounds
// are spent. Everything is a function of the request and the options: the first picture is that of
// Engine::draw(), further ones and the words have noise of their own, made of the seed. Progress
// counts the image tokens of all rounds that there may be. Throws what check_reflection() and
// drawing throw.
Reflection draw_reflected(Engine& engine, Understanding& understanding, const DrawRequest& request,
                          const ReflectOptions& options = {}, const Progress& progress = {});

// The rounds as a JSON array: "seed", and of those that were judged "match", "yes" and "reason".
std::string reflection_json(const Reflection& reflection);

}  // namespace bifrons
