// Public API for thinking: a model writes a thought (a chain of thought) before it draws, as the
// reasoning checkpoints of the Janus family do. docs/think.md says what each of them expects.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "src/bifrons.h"

namespace bifrons {

// The conversation around a drawing that a checkpoint was trained with. Both templates are what the
// user says; the roles, the system prompt and line breaks come around it as in all Janus prompts.
struct ThoughtStyle {
  std::string name;
  // The words in front of the turns. Words that begin with "<|" must be one token.
  std::string user = "<|User|>", assistant = "<|Assistant|>";
  std::string system;  // may be empty
  std::string ask;     // holds {prompt}; the answer is the thought
  // Of a second conversation, in which the picture is drawn; holds {prompt} and {thought}. Not set:
  // the picture follows the thought in the same sequence.
  std::optional<std::string> draw;
  std::vector<std::string> stop;          // tokens that end a thought, each of them one token
  std::vector<std::string> added_tokens;  // get the next free ids where the tokenizer lacks them
  double temperature = 1;                 // of sampling the thought; 0 is greedy
  int64_t top_k = 0;                      // 0 is off
  // Longest thought. In the same sequence the token that begins the picture counts.
  int64_t max_tokens = 512;

  bool operator==(const ThoughtStyle&) const = default;
};

// Longest thought that a style or a caller may ask for, in tokens.
inline constexpr int64_t kLongestThought = 16384;

// Names of the built-in styles.
std::vector<std::string> thought_styles();
// The built-in style of that name. Throws Error (usage) that lists the names.
ThoughtStyle thought_style(std::string_view name);

// A style from JSON text. `name` is the file in messages. Throws Error (data): not JSON, a key that
// is unknown or missing, a value of the wrong kind or out of range, a template without its
// placeholder.
ThoughtStyle parse_thought_style(std::string_view json, const std::string& name);
// The style as one line of JSON; parse_thought_style() gives it back.
std::string thought_style_json(const ThoughtStyle& style);

// The style of a model directory: its file bifrons_think.json, or the built-in style whose name is
// a part of the directory's (name_of_model()), or janus-pro-r1. Throws as parse_thought_style().
ThoughtStyle style_of_model(const std::string& directory);

enum class ThoughtEnd {
  kDone,    // a token of the style's `stop`
  kLength,  // max_tokens, or the model's positions, ran out
  kGiven,   // the caller gave the thought
};
std::string_view name_of(ThoughtEnd end);

struct Thought {
  std::string text;             // without special tokens
  std::vector<int32_t> tokens;  // as sampled, without the one that ended it
  ThoughtEnd end = ThoughtEnd::kGiven;
};

// For Engine::thinking().
struct ThinkOptions {
  ThoughtStyle style;
  std::optional<std::string> thought;  // UTF-8; not set: the model writes it
  // Ids of `thought`, when it was sampled before: where the picture follows in the same sequence
  // they may differ from those that the tokenizer gives. Empty: the tokenizer's.
  std::vector<int32_t> tokens;
};

// The pictures for which memory is planned: a short prompt with its longest thought. What the style
// itself says is counted as a token for three bytes.
PlannedPictures planned_pictures(const ThinkOptions& options);

// What a request was prepared with.
const ThinkOptions& options_of(const Thinking& thinking);

// A thing of the plan that some models write, such as GoT-R1. Sides are shares of the picture, from
// 0 (left, top) to 1.
struct PlannedBox {
  std::string name;  // may be empty
  double left = 0, top = 0, right = 0, bottom = 0;
};

// The boxes in a thought, "<|obj_start|>NAME<|obj_end|> <|box_start|>(X,Y),(X,Y)<|box_end|>" with
// coordinates from 0 to 1000. These are words of a model: what is not such a box is passed over,
// sides are sorted and cut to the picture, and several boxes after one name all get it.
std::vector<PlannedBox> plan_of(std::string_view thought);

}  // namespace bifrons
