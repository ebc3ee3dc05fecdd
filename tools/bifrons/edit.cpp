// `bifrons edit`: like generate, but the prompt is a picture and an instruction.
#include "src/edit.h"

#include <fmt/format.h>

#include <memory>
#include <nlohmann/json.hpp>

#include "src/io/quote.h"
#include "src/io/sha256.h"
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
  PictureFlags picture;
  std::string instruction;
  std::string style;  // empty: what the model is
  std::optional<double> image_guidance;

  void check() const;
  int run();
  const EditStyle& style_for(const ModelInfo& model) const;
  void prepare(Engine& opened, std::vector<DrawRequest>& requests, const Picture& before);
};

void Edit::check() const {
  if (!style.empty()) edit_style(style);
  if (picture.file == "-" && instruction == "-") {
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

const EditStyle& Edit::style_for(const ModelInfo& model) const {
  if (!style.empty()) return edit_style(style);
  if (const EditStyle* own = edit_style_of(model.name)) return *own;
  const EditStyle& first = edit_styles().front();
  log(verbosity,
      fmt::format("{} is not known as a model that edits; it is asked as {} is (--style)",
                  quote(model.name), first.name));
  return first;
}

void Edit::prepare(Engine& opened, std::vector<DrawRequest>& requests, const Picture& before) {
  const EditStyle& chosen = style_for(opened.model());
  if (image_guidance && !chosen.part_row) {
    throw Error(
        ErrorKind::kUsage,
        fmt::format("--image-guidance needs a style with three rows; {} has two", chosen.name));
  }
  Editor editor(opened, chosen);
  editor.show(before);
  EditSettings edit;
  edit.image_guidance = image_guidance.value_or(kImageGuidance);
  edit.allow_special = requests.front().allow_special;
  const auto spans = editor.prompt(requests.front().prompt, edit);
  for (DrawRequest& request : requests) {
    request.spans = spans;
    request.negative_prompt.reset();
    request.fixed.clear();
  }
  if (const auto fault = opened.fault_of(requests.front())) throw *fault;
  nlohmann::json record = nlohmann::json::parse(edited);
  record["style"] = chosen.name;
  if (chosen.part_row) record["image_guidance"] = edit.image_guidance;
  edited = record.dump(-1, ' ', true, nlohmann::json::error_handler_t::replace);
}

int Edit::run() {
  check();
  prompt = instruction;
  const std::string file = picture_bytes(picture.file);
  const Picture before = picture_of(file, picture.file, picture.orientation);
  const nlohmann::json record = {{"picture", picture.file}, {"sha256", sha256(file)}};
  edited = record.dump(-1, ' ', true, nlohmann::json::error_handler_t::replace);
  settings.fixed = std::vector<int32_t>{};  // the codes from --like belong to another picture
  return Generate::run([&](Engine& opened, std::vector<DrawRequest>& requests) {
    prepare(opened, requests, before);
  });
}

}  // namespace

void add_edit(CLI::App& app, Chosen& chosen) {
  const auto edit = std::make_shared<Edit>();
  CLI::App& command = add_command(app, "edit", "Change a picture as an instruction says", chosen,
                                  [edit] { return edit->run(); });
  add_operand(command, "IMAGE", edit->picture.file,
              "The picture to change, a PNG, JPEG or WebP file; - is stdin");
  add_orientation(command, edit->picture.orientation);
  add_operand(command, "INSTRUCTION", edit->instruction,
              "What to change, such as \"make the car blue\"; - reads it from stdin");
  add_text(command, "--style", "NAME", edit->style,
           "How the model was trained to edit: janus-4o or janus-pro-r1 (default: by its name)");
  add_value(
      command, "--image-guidance", "X",
      [edit = edit.get()](const std::string& text) {
        edit->image_guidance = parse_real("--image-guidance", text, 0, kMostImageGuidance);
      },
      "Weight of the row that sees the picture without its codes, 0 to 100 (janus-4o; default 5)");
  edit->add_to(command);
  add_footer(command, kEditFooter);
}

}  // namespace bifrons::cli
