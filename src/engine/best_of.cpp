// The best of several drawings, as the model itself sees them.
#include <algorithm>

#include "src/understand.h"

namespace bifrons {

ChosenDrawing choose_best(Understanding& understanding, std::span<const DrawRequest> requests,
                          std::vector<Drawing> drawings, std::string_view question) {
  check(!drawings.empty() && drawings.size() == requests.size(),
        "choose_best: one request for each of one or more drawings");
  ChosenDrawing chosen;
  chosen.question = question.empty() ? understanding.match_question(requests.front().prompt)
                                     : std::string(question);
  double seconds = 0;
  for (size_t i = 0; i < drawings.size(); ++i) {
    const Judgement judgement = understanding.judge(drawings[i].picture, chosen.question);
    chosen.candidates.push_back({requests[i].seed, judgement});
    seconds += drawings[i].seconds;
    if (judgement.score() > chosen.candidates[chosen.kept].judgement.score()) chosen.kept = i;
  }
  chosen.drawing = std::move(drawings[chosen.kept]);
  chosen.drawing.seconds = seconds;
  return chosen;
}

ChosenDrawing draw_best(Engine& engine, Understanding& understanding, const DrawRequest& request,
                        int64_t count, std::string_view question, const Progress& progress) {
  check(count >= 1, "draw_best: one picture or more");
  std::vector<DrawRequest> requests(static_cast<size_t>(count), request);
  for (size_t i = 0; i < requests.size(); ++i) requests[i].seed += i;
  return choose_best(understanding, requests, engine.draw(requests, progress), question);
}

}  // namespace bifrons
