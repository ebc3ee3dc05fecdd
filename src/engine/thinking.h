// Thinking prepared for a model: the prompts in which a thought is written, and those in which the
// picture is drawn after it.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "src/engine/requests.h"
#include "src/model/config.h"
#include "src/think.h"
#include "src/tokenizer/tokenizer.h"

namespace bifrons {

// A style with its strings as ids.
struct Thinking {
  ThinkOptions options;
  std::shared_ptr<const Tokenizer> tokenizer;  // with the style's added tokens
  std::vector<int32_t> stop;                   // ids that end a thought
};

// `tokenizer` must outlive the result. Throws Error: data (a token of the style is none of this
// tokenizer, or finds no id; the thought is not UTF-8), usage (a setting out of range).
std::shared_ptr<const Thinking> prepare_thinking(const Tokenizer& tokenizer, const Config& config,
                                                 const ThinkOptions& options);

// What a thought is written after, and the most tokens that it may have: the style's, or what the
// model's positions leave beside the picture.
struct ThoughtPrompt {
  std::vector<int32_t> ids;
  int64_t most = 0;
};

// Throws Error: usage (too long for the model), data (the prompt is not UTF-8).
ThoughtPrompt thought_prompt(const Thinking& thinking, const Config& config,
                             const DrawRequest& request);

// A thought as sampled.
Thought thought_of(const Thinking& thinking, std::vector<int32_t> tokens, ThoughtEnd end);
// The thought that the options give.
Thought given_thought(const Thinking& thinking, bool allow_special);

// The prompts of the picture after `thought`. In the same sequence they are the ids of
// thought_prompt(), those of the thought, and the start of the image; the unconditional row has
// pads over prompt and thought. Throws as guided_prompt().
GuidedPrompt prompt_after(const Thinking& thinking, const Config& config,
                          const DrawRequest& request, const Thought& thought);

}  // namespace bifrons
