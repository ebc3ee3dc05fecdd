// Best-of-n: the choice among drawings while they are being drawn.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "src/understand.h"

namespace bifrons {

// Candidates may come in any order; the result does not depend on it. Only the best drawing so far
// is kept, so a choice among many takes no more memory than one among two.
class Choosing {
 public:
  // Chooses among up to `count` candidates that are judged with `question`.
  Choosing(std::string question, size_t count);

  const std::string& question() const { return question_; }

  // Adds candidate `index` (0 to count - 1), at most once. Of equal scores the lowest index wins.
  void add(size_t index, uint64_t seed, const Judgement& judgement, Drawing drawing);

  // The choice among the added candidates, listed in the order of their indices; nullopt if none
  // was added. Called once, at the end.
  std::optional<ChosenDrawing> finish();

 private:
  std::string question_;
  std::vector<std::optional<Choice::Candidate>> candidates_;  // by index
  std::optional<size_t> best_;
  Drawing drawing_;     // of the best candidate
  double seconds_ = 0;  // of all candidates
};

}  // namespace bifrons
