// The library's other public face: the same model looks at pictures and speaks about them.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "src/bifrons.h"

namespace bifrons {

// How a reply is found. The default takes the likeliest token each time.
struct ReplyOptions {
  double temperature = 0;  // 0 is greedy
  int64_t top_k = 0;       // 0 is off
  double top_p = 1;        // 1 is off
  uint64_t seed = 0;
  int64_t max_tokens = 512;
  std::vector<std::string> stop;  // texts that end a reply and are left out of it
  bool allow_special = false;     // special tokens written in the words count as such
};

enum class ReplyEnd {
  kDone,    // the model said so
  kStop,    // a stop text came up
  kLength,  // max_tokens, or the model's positions, ran out
  kLeft,    // the listener did not want more
};

struct Reply {
  std::string text;  // without white space at its ends
  std::vector<int32_t> tokens;
  ReplyEnd end = ReplyEnd::kDone;
  int64_t prompt_tokens = 0;  // of the whole conversation, pictures included
  int64_t cached_tokens = 0;  // of these, cached from before
  double first_seconds = 0;   // until the first token
  double seconds = 0;
};

// Gets a reply piece by piece, in whole characters; return false to hear no more.
using Listener = std::function<bool(std::string_view piece)>;

// How sure the model is of Yes and No as the first word of its answer, probabilities.
struct Judgement {
  double yes = 0;
  double no = 0;
  // Of the two, 0 to 1.
  double score() const { return yes + no > 0 ? yes / (yes + no) : 0.5; }
};

// One conversation with the model of an open engine, whose transformer it shares. The tower, the
// aligner and the text head are loaded here, never by the engine. Not to be used while the engine
// draws on another thread.
class Understanding {
 public:
  // `engine` must outlive it. Throws Error (data): this model draws but does not see.
  static Understanding open(Engine& engine);
  Understanding(Understanding&&) noexcept;
  Understanding& operator=(Understanding&&) noexcept;
  ~Understanding();

  // Shows a picture; the model sees it in front of the words said next.
  void show(const Picture& picture);
  // Says something and gives the reply; both become part of the conversation, unless it throws:
  // Error (usage) when the conversation is too long for the model or a setting out of range, (data)
  // when the words are not UTF-8 or the weights give not-a-number.
  Reply say(std::string_view words, const ReplyOptions& options = {},
            const Listener& listener = {});
  // Forgets words and pictures.
  void reset();
  // Says in front of every conversation something else than the model's own system prompt.
  void set_system_prompt(std::string text);

  // A conversation of one question about one picture; the current one is left as it is.
  Judgement judge(const Picture& picture, std::string_view question);

  // What judge() would refuse this question with, whatever the picture.
  std::optional<Error> fault_of(std::string_view question) const;

  // What this model is best asked when somebody wants to know what a picture shows.
  const std::string& describe_question() const;
  // The question that judge() is best asked of a picture drawn for `prompt`.
  std::string match_question(std::string_view prompt) const;
  // The same for question_about(): every {prompt} stands for the prompt.
  const std::string& match_template() const;

 private:
  struct State;
  explicit Understanding(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

// How one of several drawings was chosen by the model itself.
struct Choice {
  struct Candidate {
    uint64_t seed = 0;
    Judgement judgement;
  };
  size_t kept = 0;  // the first candidate with the best score
  std::string question;
  std::vector<Candidate> candidates;  // those that were drawn, in the order of their seeds
};

struct ChosenDrawing : Choice {
  Drawing drawing;  // of the candidate kept; seconds of drawing and judging all of them
};

// The choice as a JSON object: "question", "kept" (its seed) and "candidates" with "seed", "score",
// "yes" and "no".
std::string choice_json(const Choice& choice);

// `question` with `prompt` wherever it says {prompt}.
std::string question_about(std::string_view question, std::string_view prompt);

// Draws `count` pictures with seeds from request.seed on and keeps the one that best answers
// `question`, or Understanding::match_question() when it is empty. Progress counts the image tokens
// of all. Throws what drawing throws, and Error (usage): seeds past the largest one.
ChosenDrawing draw_best(Engine& engine, Understanding& understanding, const DrawRequest& request,
                        int64_t count, std::string_view question = {},
                        const Progress& progress = {});

// The same choice among drawings that are there already, requests and drawings in one order.
ChosenDrawing choose_best(Understanding& understanding, std::span<const DrawRequest> requests,
                          std::vector<Drawing> drawings, std::string_view question = {});

}  // namespace bifrons
