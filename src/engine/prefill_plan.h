// Prefill plan: which prompt tokens must be run, and which are already in the prefix cache.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace bifrons {

using TokenIds = std::vector<int32_t>;

struct SpannedPrompt;  // src/engine/spans.h

// A prompt to be placed in a sequence.
struct WantedPrompt {
  int32_t sequence = 0;
  const TokenIds* ids = nullptr;
  bool shares = true;  // may take a common prefix from a sequence that has it
  int64_t after = -1;  // positions to keep for tokens after it; -1: those of a picture
  const SpannedPrompt* spans = nullptr;  // has the pictures of negative ids
};

// Prefill of wanted prompt `index`: positions [0, begin) are taken from sequence `from` (which may
// be its own), and tokens [begin, end) are run through the model.
struct PromptRun {
  int64_t index = 0;
  int32_t from = 0;
  int64_t begin = 0;
  int64_t end = 0;
};

// One prefill pass: first every cached prefix is taken over in order, then all suffixes run through
// the model.
using PrefillPass = std::vector<PromptRun>;

// `cached` is the prefix cache: for each sequence, the ids whose keys and values are at its first
// positions. It is updated. The last token of a prompt is always run, because its hidden state is
// needed to sample the first code. A prompt that shares a prefix with another prompt of the same
// call waits for a second pass if that saves enough tokens. Each wanted prompt has its own
// sequence.
std::vector<PrefillPass> plan_prefill(std::vector<TokenIds>& cached,
                                      std::span<const WantedPrompt> wanted);

}  // namespace bifrons
