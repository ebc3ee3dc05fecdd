// `bifrons ask`: one question about one or several pictures.
#include <memory>
#include <nlohmann/json.hpp>

#include "tools/bifrons/session.h"
#include "tools/bifrons/understand.h"

namespace bifrons::cli {
namespace {

struct Ask {
  std::string image;
  std::vector<std::string> more_images;
  std::string question;  // - is stdin
  UnderstandFlags flags;

  int run() const {
    check_text("the question", question);
    if (image == "-" && question == "-") {
      throw Error(ErrorKind::kUsage, "picture and question cannot both come from stdin");
    }
    for (const std::string& path : more_images) check_picture(flags, path);
    check_picture(flags, image);
    OpenModel model = open_model(flags);
    const std::string asked = question == "-" ? text_on_stdin(kLongestPrompt) : question;
    std::vector<std::string> paths{image};
    paths.insert(paths.end(), more_images.begin(), more_images.end());
    for (const std::string& path : paths) {
      model.understanding.show(read_picture_file(path, flags.orientation));
    }
    nlohmann::json record = record_of(converse(model.understanding, flags, asked));
    record["images"] = paths;
    record["question"] = asked;
    if (flags.json) print_replies(model.engine, nlohmann::json::array({record}));
    return 0;
  }
};

}  // namespace

void add_ask(CLI::App& app, Chosen& chosen) {
  const auto ask = std::make_shared<Ask>();
  CLI::App& command = add_command(app, "ask", "Answer a question about a picture", chosen,
                                  [ask] { return ask->run(); });
  add_operand(command, "IMAGE", ask->image, "A PNG, JPEG or WebP file; - is stdin");
  add_operand(command, "QUESTION", ask->question, "The question; - reads it from stdin");
  add_value(command, "-i,--image", "FILE",
            [ask = ask.get()](const std::string& text) { ask->more_images.push_back(text); },
            "Another picture, after the first; may be given several times", {.each = true});
  ask->flags.add_to(command);
}

}  // namespace bifrons::cli
