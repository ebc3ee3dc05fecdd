// `bifrons chat`: reads lines and prints replies, until the input ends or /quit.
#include <memory>
#include <nlohmann/json.hpp>

#include "src/io/quote.h"
#include "tools/bifrons/line_input.h"
#include "tools/bifrons/session.h"
#include "tools/bifrons/streams.h"
#include "tools/bifrons/understand.h"

namespace bifrons::cli {
namespace {

constexpr const char* kHelp =
    "/image FILE shows a picture, /reset forgets everything said, /quit ends (as Ctrl-D does); "
    "everything else is said to the model";

class Conversation {
 public:
  Conversation(OpenModel& model, const UnderstandFlags& flags, bool interactive)
      : model_(model), flags_(flags), interactive_(interactive) {}

  void show(const std::string& path) {
    model_.understanding.show(read_picture_file(path, flags_.orientation));
    log(flags_.verbosity, quote(path) + " is in view");
  }

  // Returns false when the conversation is over.
  bool take(std::string line) {
    const size_t first = line.find_first_not_of(" \t");
    if (first == std::string::npos) return true;
    line.erase(0, first);
    if (line[0] != '/') {
      say_to_model(line);
      return true;
    }
    line.erase(line.find_last_not_of(" \t") + 1);
    const size_t space = line.find_first_of(" \t");
    const std::string command = line.substr(0, space);
    const size_t rest =
        line.find_first_not_of(" \t", space == std::string::npos ? space : space + 1);
    const std::string operand = rest == std::string::npos ? std::string() : line.substr(rest);
    if (command == "/quit") return false;
    if (command == "/reset") {
      model_.understanding.reset();
    } else if (command == "/image" && !operand.empty()) {
      show(operand);
    } else if (command == "/help") {
      log(flags_.verbosity, kHelp);
    } else {
      throw Error(ErrorKind::kUsage, "no such command: " + quote(line, 60) + "; " + kHelp);
    }
    return true;
  }

  // At a terminal an error is printed and the conversation continues. A script gets the exit code.
  bool take_or_report(std::string line) {
    try {
      return take(std::move(line));
    } catch (const Error& error) {
      if (!interactive_ || error.kind() == ErrorKind::kInterrupted ||
          error.kind() == ErrorKind::kCannotWrite) {
        throw;
      }
      print_stderr(std::string("bifrons: ") + error.what() + "\n");
      return true;
    }
  }

 private:
  void say_to_model(const std::string& words) {
    const Reply reply = converse(model_.understanding, flags_, words);
    if (!flags_.json) return;
    nlohmann::json record = record_of(reply);
    record["question"] = words;
    print_json(record);
  }

  OpenModel& model_;
  const UnderstandFlags& flags_;
  bool interactive_;
};

struct Chat {
  std::string image;  // empty: none
  UnderstandFlags flags;

  int run() const {
    if (image == "-") {
      throw Error(ErrorKind::kUsage,
                  "chat reads what is said from stdin, so the picture is a file");
    }
    if (!image.empty()) check_picture(flags, image);
    OpenModel model = open_model(flags);
    const bool interactive = stdin_is_terminal();
    Conversation conversation(model, flags, interactive);
    if (interactive) log(flags.verbosity, kHelp);
    if (!image.empty()) conversation.show(image);
    const std::unique_ptr<LineInput> lines = interactive ? terminal_lines() : plain_lines(false);
    while (std::optional<std::string> line = lines->next("> ")) {
      if (!conversation.take_or_report(std::move(*line))) break;
    }
    return 0;
  }
};

}  // namespace

void add_chat(CLI::App& app, Chosen& chosen) {
  const auto chat = std::make_shared<Chat>();
  CLI::App& command =
      add_command(app, "chat", "Talk about pictures, line by line; /image FILE, /reset, /quit",
                  chosen, [chat] { return chat->run(); });
  add_operand(command, "IMAGE", chat->image, "A picture to begin with", {});
  chat->flags.add_to(command);
}

}  // namespace bifrons::cli
