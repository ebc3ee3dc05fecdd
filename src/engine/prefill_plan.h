// Which prompt tokens must be run and which are in a sequence's memory already.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace bifrons {

using TokenIds = std::vector<int32_t>;

// A prompt that shall end up in a sequence.
struct WantedPrompt {
  int32_t sequence = 0;
  const TokenIds* ids = nullptr;
  bool shares = true;  // may take a common beginning from a sequence that has it
};

// Wanted prompt `index`: positions [0, begin) are those of sequence `from`, perhaps its own, and
// tokens [begin, end) are run through the model.
struct PromptRun {
  int64_t index = 0;
  int32_t from = 0;
  int64_t begin = 0;
  int64_t end = 0;
};

// All take over their beginnings, one after another, and then all are run.
using PrefillPass = std::vector<PromptRun>;

// `cached` holds for each sequence the ids whose keys and values lie at its first positions; it is
// brought up to date. The last token of a prompt is always run: its hidden state is what the first
// code is drawn from. Prompts that begin like another of the same call wait for a second wave when
// that saves them enough tokens. Wanted prompts have sequences of their own.
std::vector<PrefillPass> plan_prefill(std::vector<TokenIds>& cached,
                                      std::span<const WantedPrompt> wanted);

}  // namespace bifrons
