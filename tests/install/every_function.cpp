// Names every function of the public headers, so that the linker demands each of the library.
#include <bifrons/bifrons.h>
#include <bifrons/bifrons_c.h>
#include <bifrons/edit.h>
#include <bifrons/picture_file.h>
#include <bifrons/picture_read.h>
#include <bifrons/reflect.h>
#include <bifrons/think.h>
#include <bifrons/understand.h>
#include <bifrons/variation.h>

#include <cstring>

namespace {

using namespace bifrons;

template <typename... Function>
bool all_there(Function... function) {
  return ((function != nullptr) && ...);
}

bool engine_functions() {
  return all_there(&Engine::open, &Engine::model, &Engine::device, &Engine::fallback, &Engine::draw,
                   &Engine::draw_batch, &Engine::automatic_lanes, &Engine::speculation,
                   &Engine::memory_plan, &Engine::plan_for, &Engine::planned, &Engine::fault_of,
                   &Engine::thinking, &Engine::decode, &Engine::encode, &name_of_model, &tokenize,
                   &inspect, &inspect_json, &verify_weights, &devices, &build_info);
}

bool other_functions() {
  return all_there(&Understanding::open, &Understanding::show, &Understanding::say,
                   &Understanding::reset, &Understanding::set_system_prompt, &Understanding::judge,
                   &Understanding::fault_of, &Understanding::describe_question,
                   &Understanding::match_question, &Understanding::match_template, &choice_json,
                   &question_about, &draw_best, &choose_best, &fitted, &keep_rows, &keep_share,
                   &keep_dark, &edit_styles, &edit_style, &edit_style_of, &check_edits,
                   &fault_of_edit, &Editor::style, &Editor::show, &Editor::prompt,
                   &check_reflection, &draw_reflected, &reflection_json, &picture_format_of,
                   &encode_picture, &read_picture_info, &read_picture);
}

bool think_functions() {
  return all_there(&thought_styles, &thought_style, &parse_thought_style, &thought_style_json,
                   &style_of_model, &name_of, &options_of, &planned_pictures, &plan_of);
}

bool c_functions() {
  return all_there(&bifrons_version, &bifrons_engine_options_init, &bifrons_engine_open,
                   &bifrons_engine_close, &bifrons_engine_info, &bifrons_request_init,
                   &bifrons_engine_draw, &bifrons_batch_init, &bifrons_engine_draw_batch,
                   &bifrons_engine_decode, &bifrons_engine_encode, &bifrons_drawing_width,
                   &bifrons_drawing_height, &bifrons_drawing_rgb, &bifrons_drawing_code_count,
                   &bifrons_drawing_codes, &bifrons_drawing_seconds, &bifrons_drawing_free,
                   &bifrons_encode_file, &bifrons_decode_file, &bifrons_free, &bifrons_chat_open,
                   &bifrons_chat_close, &bifrons_chat_show, &bifrons_reply_options_init,
                   &bifrons_chat_say, &bifrons_chat_reset, &bifrons_think_options_init,
                   &bifrons_thinking_open, &bifrons_thinking_close, &bifrons_editor_open,
                   &bifrons_editor_close, &bifrons_editor_show, &bifrons_drawing_thought);
}

// Moves are functions without a pointer of their own. They are linked, and not called.
[[maybe_unused]] void moves(Engine& engine, Understanding& understanding) {
  Engine other(std::move(engine));
  engine = std::move(other);
  Understanding another(std::move(understanding));
  understanding = std::move(another);
}
auto* const volatile linked = &moves;

}  // namespace

int main() {
  if (!engine_functions() || !other_functions() || !think_functions() || !c_functions()) return 1;
  return linked != nullptr && build_info().version == bifrons_version() ? 0 : 1;
}
