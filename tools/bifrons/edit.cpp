// `bifrons edit`: like generate, but the prompt is a picture and an instruction.
#include "src/edit.h"

#include <memory>

#include "src/batch/line_edit.h"
#include "src/io/quote.h"
#include "src/io/sha256.h"
#include "tools/bifrons/edit_flags.h"
#include "tools/bifrons/generate.h"
#include "tools/bifrons/session.h"

namespace bifrons::cli {
namespace {

constexpr const char* kEditFooter =
    "A checkpoint that was trained to edit is needed, such as Janus-4o. Any other model that sees "
    "and has an\nencoder runs, but draws what it likes. janus-4o takes three rows a picture: "
    "picture "
    "and codes, picture\nalone, nothing. --cfg is the scale of both against nothing, "
    "--image-guidance the weight of the second\nagainst the first.";

struct Edit : Generate {
  std::string picture;  // - is stdin
  std::string instruction;
  EditFlags edit;

  void check() const;
  int run();
  const EditStyle* planned_style() const;
  // Takes what the options do not say from the record of a picture to be like.
  void complete_from(const RecordedEdit& recorded, const std::string& sha256);
  void prepare(Engine& opened, std::vector<DrawRequest>& requests, const std::string& file);
};

void Edit::check() const {
  if (picture == "-" && instruction == "-") {
    throw Error(ErrorKind::kUsage, "only one of picture and instruction can come from stdin");
  }
  if (instruction.find_first_not_of(" \t\r\n") == std::string::npos) {
    throw Error(ErrorKind::kUsage, "the instruction is empty; say what to change in the picture");
  }
  if (settings.negative_prompt) {
    throw Error(ErrorKind::kUsage,
                "--negative-prompt has no place in an edit, whose rows are those of its style");
  }
  if (think.given()) {
    throw Error(ErrorKind::kUsage, "--think has no place in an edit, whose prompt has a picture");
  }
  Generate::check();
}

// The style as far as it is known before the model is open.
const EditStyle* Edit::planned_style() const {
  if (!edit.style.empty()) return &edit_style(edit.style);
  const EditStyle* own = edit_style_of(name_of_model(engine.setup().options.model));
  return own != nullptr ? own : &edit_styles().front();
}

void Edit::complete_from(const RecordedEdit& recorded, const std::string& sha256) {
  if (recorded.sha256 != sha256) {
    log(verbosity, quote(like) + " was made from another picture: expect another one");
  }
  if (recorded.apply_orientation) edit.orientation = Orientation::kApply;
  if (edit.style.empty()) edit.style = edit_style(recorded.style).name;
  if (!edit.image_guidance && edit_style(edit.style).part_row) {
    edit.image_guidance = recorded.image_guidance;
  }
}

void Edit::prepare(Engine& opened, std::vector<DrawRequest>& requests, const std::string& file) {
  LineEdit whole{.image = picture, .sha256 = sha256(file)};
  whole.orientation = edit.orientation;
  whole.style = &edit.style_for(opened.model(), verbosity);
  whole.image_guidance = image_guidance_of(*whole.style, edit.image_guidance, "--image-guidance");
  Editor editor(opened, *whole.style);
  editor.show(picture_of(file, picture, edit.orientation));
  const auto spans = editor.prompt(
      requests.front().prompt,
      {.image_guidance = whole.image_guidance, .allow_special = requests.front().allow_special});
  for (DrawRequest& request : requests) {
    request.spans = spans;
    request.negative_prompt.reset();
    request.fixed.clear();
  }
  if (const auto fault = opened.fault_of(requests.front())) throw *fault;
  edited = edit_record(whole);
}

int Edit::run() {
  check();
  prompt = instruction;
  const std::string file = picture_bytes(picture);
  picture_of(file, picture, edit.orientation);  // refused before the model is opened
  edited = "{}";                                // says that this is an edit; prepare() fills it
  planned.edit = planned_style();
  settings.fixed = std::vector<int32_t>{};  // the codes from --like belong to another picture
  return Generate::run(
      [&](Engine& opened, std::vector<DrawRequest>& requests, const Settings& complete) {
        if (complete.edited) complete_from(*complete.edited, sha256(file));
        prepare(opened, requests, file);
      });
}

}  // namespace

void add_edit(CLI::App& app, Chosen& chosen) {
  const auto edit = std::make_shared<Edit>();
  CLI::App& command = add_command(app, "edit", "Change a picture as an instruction says", chosen,
                                  [edit] { return edit->run(); });
  add_operand(command, "IMAGE", edit->picture,
              "The picture to change, a PNG, JPEG or WebP file; - is stdin");
  add_operand(command, "INSTRUCTION", edit->instruction,
              "What to change, such as \"make the car blue\"; - reads it from stdin");
  edit->edit.add_to(command);
  edit->add_to(command);
  add_footer(command, kEditFooter);
}

}  // namespace bifrons::cli
