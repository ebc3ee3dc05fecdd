// Thoughts and edits of the C interface, on src/think.h and src/edit.h.
#include <optional>

#include "src/c/guarded.h"

namespace {

using namespace bifrons::c;

bifrons_think_options default_thinking() {
  return {sizeof(bifrons_think_options), nullptr, nullptr, -1, -1, 0};
}

bifrons::ThinkOptions options_of(const bifrons_think_options& from, const std::string& directory) {
  bifrons::ThinkOptions options;
  const std::string style = from.style == nullptr ? "" : from.style;
  if (from.style == nullptr) {
    options.style = bifrons::style_of_model(directory);
  } else if (style.starts_with('{')) {
    options.style = bifrons::parse_thought_style(style, "the style");
  } else {
    options.style = bifrons::thought_style(style);
  }
  if (!(from.temperature < 0)) options.style.temperature = from.temperature;
  if (from.top_k >= 0) options.style.top_k = from.top_k;
  if (from.max_tokens != 0) options.style.max_tokens = from.max_tokens;
  if (from.thought != nullptr) options.thought = from.thought;
  return options;
}

const bifrons::EditStyle& style_of(const char* style, const bifrons::ModelInfo& model) {
  if (style != nullptr) return bifrons::edit_style(style);
  const bifrons::EditStyle* own = bifrons::edit_style_of(model.name);
  return own != nullptr ? *own : bifrons::edit_styles().front();
}

}  // namespace

extern "C" {

void bifrons_think_options_init(bifrons_think_options* options, size_t size) {
  copy_out(default_thinking(), options, size);
}

bifrons_status bifrons_thinking_open(bifrons_engine* engine, const bifrons_think_options* options,
                                     bifrons_thinking** thinking, bifrons_error* error) {
  return guarded(error, [&] {
    const bifrons_think_options from =
        options == nullptr ? default_thinking() : copy_in(options, default_thinking(), "options");
    bifrons::Engine& with = required(engine, "engine").engine;
    bifrons_thinking*& out = required(thinking, "thinking");
    out = new bifrons_thinking{with.thinking(options_of(from, with.model().directory))};
  });
}

void bifrons_thinking_close(bifrons_thinking* thinking) { delete thinking; }

bifrons_status bifrons_editor_open(bifrons_engine* engine, const char* style,
                                   bifrons_editor** editor, bifrons_error* error) {
  return guarded(error, [&] {
    bifrons::Engine& with = required(engine, "engine").engine;
    bifrons_editor*& out = required(editor, "editor");
    out = new bifrons_editor{bifrons::Editor(with, style_of(style, with.model()))};
  });
}

void bifrons_editor_close(bifrons_editor* editor) { delete editor; }

bifrons_status bifrons_editor_show(bifrons_editor* editor, const uint8_t* rgb, int64_t width,
                                   int64_t height, bifrons_error* error) {
  return guarded(error,
                 [&] { required(editor, "editor").editor.show(picture_of(rgb, width, height)); });
}

}  // extern "C"
