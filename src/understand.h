// Public API for multimodal understanding: the same model looks at pictures and answers in text.
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

// Sampling settings of a reply. The default is greedy: the most likely token each time.
struct ReplyOptions {
  double temperature = 0;  // 0 is greedy
  int64_t top_k = 0;       // 0 is off
  double top_p = 1;        // 1 is off
  uint64_t seed = 0;
  int64_t max_tokens = 512;
  std::vector<std::string> stop;  // texts that end a reply and are not part of it
  bool allow_special = false;     // special tokens written in the words are special
};

enum class ReplyEnd {
  kDone,    // end-of-sentence token
  kStop,    // a stop text came up
  kLength,  // max_tokens, or the model's positions, ran out
  kLeft,    // the listener returned false
};

struct Reply {
  std::string text;  // without white space at its ends
  std::vector<int32_t> tokens;
  ReplyEnd end = ReplyEnd::kDone;
  int64_t prompt_tokens = 0;  // of the whole conversation, pictures included
  int64_t cached_tokens = 0;  // of these, taken from the KV cache
  double first_seconds = 0;   // until the first token
  double seconds = 0;
};

// Receives a reply piece by piece, in whole characters. Return false to stop the reply.
using Listener = std::function<bool(std::string_view piece)>;

// Probabilities of Yes and No as the first word of the model's answer.
struct Judgement {
  double yes = 0;
  double no = 0;
  // Share of Yes in both, 0 to 1.
  double score() const { return yes + no > 0 ? yes / (yes + no) : 0.5; }
};

// One conversation with the model of an open engine, whose transformer it shares. It loads the
// vision tower, the aligner and lm_head, which the engine never loads. Not to be used while the
// engine draws on another thread.
class Understanding {
 public:
  // `engine` must outlive the result. Throws Error (data): this model draws but does not see.
  static Understanding open(Engine& engine);
  Understanding(Understanding&&) noexcept;
  Understanding& operator=(Understanding&&) noexcept;
  ~Understanding();

  // Shows a picture; it comes before the words of the next say().
  void show(const Picture& picture);
  // Says something and returns the reply. Both become part of the conversation, unless it throws:
  // Error (usage) when the conversation is too long for the model or a setting is out of range,
  // (data) when the words are not UTF-8 or the weights give not-a-number.
  Reply say(std::string_view words, const ReplyOptions& options = {},
            const Listener& listener = {});
  // Starts a new conversation: drops all words and pictures.
  void reset();
  // Replaces the model's own system prompt in all conversations.
  void set_system_prompt(std::string text);

  // A separate conversation: one question about one picture. The current conversation does not
  // change.
  Judgement judge(const Picture& picture, std::string_view question);

  // The error with which judge() would refuse this question, whatever the picture.
  std::optional<Error> fault_of(std::string_view question) const;

  // The question with which this model best describes a picture.
  const std::string& describe_question() const;
  // The best question for judge() about a picture drawn for `prompt`.
  std::string match_question(std::string_view prompt) const;
  // The template of match_question() for question_about(), with {prompt} in place of the prompt.
  const std::string& match_template() const;

  // For prompts with pictures in them (src/engine/parts.h).
  struct Parts;
  Parts parts();

 private:
  struct State;
  explicit Understanding(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

// How the model itself chose one of several drawings (best-of-n).
struct Choice {
  struct Candidate {
    uint64_t seed = 0;
    Judgement judgement;
  };
  size_t kept = 0;  // the first candidate with the best score
  std::string question;
  std::vector<Candidate> candidates;  // the drawn ones, in the order of their seeds
};

struct ChosenDrawing : Choice {
  Drawing drawing;  // of the kept candidate; its seconds are those of drawing and judging all
};

// The choice as a JSON object: "question", "kept" (its seed) and "candidates" with "seed", "score",
// "yes" and "no".
std::string choice_json(const Choice& choice);

// `question` with every {prompt} replaced by `prompt`.
std::string question_about(std::string_view question, std::string_view prompt);

// Draws `count` pictures with seeds from request.seed on and keeps the one that best answers
// `question` (Understanding::match_question() if it is empty). Progress counts the image tokens of
// all. Throws what drawing throws, and Error (usage): seeds beyond the largest one.
ChosenDrawing draw_best(Engine& engine, Understanding& understanding, const DrawRequest& request,
                        int64_t count, std::string_view question = {},
                        const Progress& progress = {});

// The same choice among existing drawings; `requests` and `drawings` have the same order.
ChosenDrawing choose_best(Understanding& understanding, std::span<const DrawRequest> requests,
                          std::vector<Drawing> drawings, std::string_view question = {});

}  // namespace bifrons
