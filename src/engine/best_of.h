// A choice among drawings in the making.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "src/understand.h"

namespace bifrons {

// Candidates come in any order, and the result does not depend on it. Only the best drawing so far
// is kept, so that a choice among many takes no more memory than one among two.
class Choosing {
 public:
  // Among up to `count` candidates that are asked `question`.
  Choosing(std::string question, size_t count);

  const std::string& question() const { return question_; }

  // Candidate `index` of the count, at most once. Of equal scores the lowest index wins.
  void add(size_t index, uint64_t seed, const Judgement& judgement, Drawing drawing);

  // The choice among what was added, in the order of the indices; nothing when nothing was. Called
  // once, at the end.
  std::optional<ChosenDrawing> finish();

 private:
  std::string question_;
  std::vector<std::optional<Choice::Candidate>> candidates_;  // by index
  std::optional<size_t> best_;
  Drawing drawing_;     // of the best
  double seconds_ = 0;  // of all
};

}  // namespace bifrons
