// Prefix caching: a prompt takes the longest cached prefix; of equal ones its own sequence's is
// preferred.
#include "src/engine/prefill_plan.h"

#include <algorithm>
#include <numeric>

#include "kernels/error.h"

namespace bifrons {
namespace {

// Least number of tokens that a prompt must save to wait for the second pass, because a second pass
// reads all weights again.
constexpr int64_t kWorthWaiting = 8;

// Length of the common prefix, without the last token of `ids`.
int64_t common(const TokenIds& ids, const TokenIds& other) {
  const auto end = ids.end() - 1;
  return std::mismatch(ids.begin(), end, other.begin(), other.end()).first - ids.begin();
}

struct Source {
  int32_t sequence = 0;
  int64_t length = 0;
};

Source longest(const std::vector<TokenIds>& cached, const WantedPrompt& prompt) {
  Source best{prompt.sequence, common(*prompt.ids, cached[prompt.sequence])};
  for (size_t sequence = 0; sequence < cached.size(); ++sequence) {
    const int64_t length = common(*prompt.ids, cached[sequence]);
    if (length > best.length) best = {static_cast<int32_t>(sequence), length};
  }
  return best;
}

}  // namespace

std::vector<PrefillPass> plan_prefill(std::vector<TokenIds>& cached,
                                      std::span<const WantedPrompt> wanted) {
  // The longest first: a shorter prompt may wait for a prefix of it.
  std::vector<int64_t> pending(wanted.size());
  std::iota(pending.begin(), pending.end(), 0);
  std::stable_sort(pending.begin(), pending.end(), [&](int64_t a, int64_t b) {
    return wanted[a].ids->size() > wanted[b].ids->size();
  });

  std::vector<PrefillPass> waves;
  while (!pending.empty()) {
    PrefillPass wave;
    std::vector<int64_t> waiting;
    for (int64_t index : pending) {
      const WantedPrompt& prompt = wanted[index];
      check(!prompt.ids->empty(), "plan_prefill: a prompt has a token");
      TokenIds& own = cached[prompt.sequence];
      Source source = prompt.shares ? longest(cached, prompt) : Source{prompt.sequence, 0};
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
      // Until the runs are done, only this prefix of the sequence is valid.
      own.assign(prompt.ids->begin(), prompt.ids->begin() + source.length);
      wave.push_back(
          {index, source.sequence, source.length, static_cast<int64_t>(prompt.ids->size())});
    }
    for (const PromptRun& run : wave) cached[wanted[run.index].sequence] = *wanted[run.index].ids;
    waves.push_back(std::move(wave));
    pending = std::move(waiting);
  }
  return waves;
}

}  // namespace bifrons
