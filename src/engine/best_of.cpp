// Best-of-n: chooses the best of several drawings by the model's own judgement.
#include "src/engine/best_of.h"

#include <fmt/format.h>

#include <chrono>
#include <utility>

#include "src/engine/seeds.h"
#include "src/io/json.h"

namespace bifrons {

Choosing::Choosing(std::string question, size_t count)
    : question_(std::move(question)), candidates_(count) {}

void Choosing::add(size_t index, uint64_t seed, const Judgement& judgement, Drawing drawing) {
  check(index < candidates_.size() && !candidates_[index], "choosing: each candidate once");
  candidates_[index] = {seed, judgement};
  seconds_ += drawing.seconds;
  const double score = judgement.score();
  if (best_) {
    const double best = candidates_[*best_]->judgement.score();
    if (score < best || (score == best && index > *best_)) return;
  }
  best_ = index;
  drawing_ = std::move(drawing);
}

std::optional<ChosenDrawing> Choosing::finish() {
  if (!best_) return std::nullopt;
  ChosenDrawing chosen;
  chosen.question = std::move(question_);
  for (size_t i = 0; i < candidates_.size(); ++i) {
    if (i == *best_) chosen.kept = chosen.candidates.size();
    if (candidates_[i]) chosen.candidates.push_back(*candidates_[i]);
  }
  chosen.drawing = std::move(drawing_);
  chosen.drawing.seconds = seconds_;
  return chosen;
}

std::string choice_json(const Choice& choice) {
  std::string candidates;
  for (const Choice::Candidate& candidate : choice.candidates) {
    candidates +=
        fmt::format(R"({}{{"seed":{},"score":{},"yes":{},"no":{}}})", candidates.empty() ? "" : ",",
                    candidate.seed, candidate.judgement.score(), candidate.judgement.yes,
                    candidate.judgement.no);
  }
  return fmt::format(R"({{"question":{},"kept":{},"candidates":[{}]}})", json_text(choice.question),
                     choice.candidates[choice.kept].seed, candidates);
}

std::string question_about(std::string_view question, std::string_view prompt) {
  constexpr std::string_view kSlot = "{prompt}";
  std::string text(question);
  for (size_t at = 0; (at = text.find(kSlot, at)) != std::string::npos; at += prompt.size()) {
    text.replace(at, kSlot.size(), prompt);
  }
  return text;
}

ChosenDrawing choose_best(Understanding& understanding, std::span<const DrawRequest> requests,
                          std::vector<Drawing> drawings, std::string_view question) {
  check(!drawings.empty() && drawings.size() == requests.size(),
        "choose_best: one request for each of one or more drawings");
  Choosing choosing(question.empty() ? understanding.match_question(requests.front().prompt)
                                     : std::string(question),
                    drawings.size());
  for (size_t i = 0; i < drawings.size(); ++i) {
    const auto start = std::chrono::steady_clock::now();
    const Judgement judgement = understanding.judge(drawings[i].picture, choosing.question());
    drawings[i].seconds +=
        std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    choosing.add(i, requests[i].seed, judgement, std::move(drawings[i]));
  }
  return std::move(*choosing.finish());
}

ChosenDrawing draw_best(Engine& engine, Understanding& understanding, const DrawRequest& request,
                        int64_t count, std::string_view question, const Progress& progress) {
  check(count >= 1, "draw_best: one picture or more");
  check_seeds(ErrorKind::kUsage, request.seed, static_cast<uint64_t>(count));
  std::vector<DrawRequest> requests(static_cast<size_t>(count), request);
  for (size_t i = 0; i < requests.size(); ++i) requests[i].seed += i;
  return choose_best(understanding, requests, engine.draw(requests, progress), question);
}

}  // namespace bifrons
