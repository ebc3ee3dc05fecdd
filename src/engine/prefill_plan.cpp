// The longest common beginning wins, the slot's own first.
#include "src/engine/prefill_plan.h"

#include <algorithm>
#include <numeric>

#include "kernels/error.h"

namespace bifrons {
namespace {

// A second wave reads all weights once more; it is worth that from so many tokens on.
constexpr int64_t kWorthWaiting = 8;

// Tokens that both begin with, leaving out the last one of `ids`.
int64_t common(const TokenIds& ids, const TokenIds& other) {
  const auto end = ids.end() - 1;
  return std::mismatch(ids.begin(), end, other.begin(), other.end()).first - ids.begin();
}

struct Source {
  int32_t slot = 0;
  int64_t length = 0;
};

Source longest(const std::vector<TokenIds>& remembered, const WantedPrompt& prompt) {
  Source best{prompt.slot, common(*prompt.ids, remembered[prompt.slot])};
  for (size_t slot = 0; slot < remembered.size(); ++slot) {
    const int64_t length = common(*prompt.ids, remembered[slot]);
    if (length > best.length) best = {static_cast<int32_t>(slot), length};
  }
  return best;
}

}  // namespace

std::vector<PrefillWave> plan_prefill(std::vector<TokenIds>& remembered,
                                      std::span<const WantedPrompt> wanted) {
  // The longest first: what is shorter may wait for a beginning of it.
  std::vector<int64_t> pending(wanted.size());
  std::iota(pending.begin(), pending.end(), 0);
  std::stable_sort(pending.begin(), pending.end(), [&](int64_t a, int64_t b) {
    return wanted[a].ids->size() > wanted[b].ids->size();
  });

  std::vector<PrefillWave> waves;
  while (!pending.empty()) {
    PrefillWave wave;
    std::vector<int64_t> waiting;
    for (int64_t index : pending) {
      const WantedPrompt& prompt = wanted[index];
      check(!prompt.ids->empty(), "plan_prefill: a prompt has a token");
      TokenIds& own = remembered[prompt.slot];
      Source source = prompt.shares ? longest(remembered, prompt) : Source{prompt.slot, 0};
      if (prompt.shares && waves.empty()) {
        int64_t later = 0;
        for (const PromptRun& run : wave) {
          later = std::max(later, common(*prompt.ids, *wanted[run.index].ids));
        }
        if (later >= source.length + kWorthWaiting) {
          waiting.push_back(index);
          continue;
        }
      }
      // Until the runs are done only this much of the slot can be relied on.
      own.assign(prompt.ids->begin(), prompt.ids->begin() + source.length);
      wave.push_back({index, source.slot, source.length, static_cast<int64_t>(prompt.ids->size())});
    }
    for (const PromptRun& run : wave) remembered[wanted[run.index].slot] = *wanted[run.index].ids;
    waves.push_back(std::move(wave));
    pending = std::move(waiting);
  }
  return waves;
}

}  // namespace bifrons
