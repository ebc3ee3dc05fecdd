// `bifrons describe`: describes pictures, each in its own conversation.
#include <fmt/format.h>

#include <memory>
#include <nlohmann/json.hpp>

#include "src/io/quote.h"
#include "tools/bifrons/session.h"
#include "tools/bifrons/streams.h"
#include "tools/bifrons/understand.h"

namespace bifrons::cli {
namespace {

using nlohmann::json;

struct Describe {
  std::vector<std::string> images;
  std::optional<std::string> question;
  UnderstandFlags flags;

  int run() const {
    check_text("the question", question.value_or(""));
    if (images.size() == 1) check_picture(flags, images.front());
    OpenModel model = open_model(flags);
    json replies = json::array();
    bool failed = false;
    for (const std::string& path : images) {
      std::optional<Picture> picture;
      try {
        picture = read_picture_file(path, flags.orientation);
      } catch (const Error& error) {
        if (images.size() == 1) throw;  // with several pictures, the others are still described
        print_stderr(fmt::format("bifrons: {}\n", error.what()));
        replies.push_back({{"image", path}, {"error", error.what()}});
        failed = true;
        continue;
      }
      replies.push_back(describe(model, path, *picture));
    }
    if (flags.json) print_replies(model.engine, replies);
    return failed ? kExitSomeFailed : 0;
  }

 private:
  json describe(OpenModel& model, const std::string& path, const Picture& picture) const {
    const std::string asked = question.value_or(model.understanding.describe_question());
    model.understanding.reset();
    model.understanding.show(picture);
    if (!flags.json && images.size() > 1) write_stdout(quote_if_needed(path) + ": ");
    json record = record_of(converse(model.understanding, flags, asked));
    record["image"] = path;
    record["question"] = asked;
    return record;
  }
};

}  // namespace

void add_describe(CLI::App& app, Chosen& chosen) {
  const auto describe = std::make_shared<Describe>();
  CLI::App& command = add_command(app, "describe", "Say what pictures show, one after another",
                                  chosen, [describe] { return describe->run(); });
  add_operands(command, "IMAGE", describe->images, "PNG, JPEG or WebP files; - is stdin");
  add_value(
      command, "--question", "TEXT",
      [describe = describe.get()](const std::string& text) { describe->question = text; },
      "What is asked about each (default: what suits the model)");
  describe->flags.add_to(command);
}

}  // namespace bifrons::cli
