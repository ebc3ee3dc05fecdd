// Public API for editing: a picture and an instruction make a new picture, with a model that was
// trained for it.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "src/bifrons.h"

namespace bifrons {

// The form in which a checkpoint was trained to edit. docs/edit.md has the published ones.
struct EditStyle {
  std::string_view name;
  // The conversation after the first token. {features}: the picture as the model sees it; {codes}:
  // its image codes; {instruction}. The names of special tokens stand for these tokens.
  std::string_view prompt;
  bool apart = false;           // the instruction is tokenized apart from the text around it
  bool part_row = false;        // a third row, in which the codes are pads
  bool keeps_picture = false;   // unconditional row: only the instruction is pads, else everything
  bool crops = false;           // the middle square of the picture, else all of it on grey
  std::string_view recognised;  // part of the lower-case name of such a model

  bool takes(std::string_view slot) const { return prompt.find(slot) != prompt.npos; }
};

std::span<const EditStyle> edit_styles();
// Throws Error (usage) with the names that there are.
const EditStyle& edit_style(std::string_view name);
// The style of a model with this name (ModelInfo::name); null if no style is known to be its own.
const EditStyle* edit_style_of(std::string_view model_name);

inline constexpr double kImageGuidance = 5.0;
inline constexpr double kMostImageGuidance = 100.0;

// Settings of an edit beside those of DrawRequest.
struct EditSettings {
  // Weight of the row without codes against the full row (styles with three rows): 0 follows the
  // full row alone. From 0 to kMostImageGuidance.
  double image_guidance = kImageGuidance;
  bool allow_special = false;  // special tokens written in the instruction are special
};

// Throws the error with which Editor(engine, style) would refuse the model, without loading any
// weights. The engine may be drawing meanwhile.
void check_edits(Engine& engine, const EditStyle& style);

// The error with which this instruction (request.prompt) or a setting would be refused, whatever
// the picture is, for a model that check_edits() accepts. The engine may be drawing meanwhile.
std::optional<Error> fault_of_edit(Engine& engine, const EditStyle& style,
                                   const DrawRequest& request, const EditSettings& settings);

// Prepares edits of one picture after the other. Not to be used while the engine draws on another
// thread.
class Editor {
 public:
  // `engine` must outlive the editor and all its prompts. Throws Error (data): the model does not
  // see, has no encoder, or lacks a token that the style needs.
  Editor(Engine& engine, const EditStyle& style);
  Editor(Editor&&) noexcept;
  Editor& operator=(Editor&&) noexcept;
  ~Editor();

  const EditStyle& style() const;
  // The picture that the next prompts change. Throws Error (data) as Engine::encode() does.
  void show(const Picture& picture);
  // DrawRequest::spans of that picture and an instruction. Throws Error: usage (the instruction is
  // empty, a setting is out of range), data (it is not UTF-8).
  std::shared_ptr<const SpannedPrompt> prompt(std::string_view instruction,
                                              const EditSettings& settings = {}) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace bifrons
