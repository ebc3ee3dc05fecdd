// `bifrons chat`: lines in, replies out, until the input ends or /quit.
#include <nlohmann/json.hpp>

#include "src/io/quote.h"
#include "tools/bifrons/line_input.h"
#include "tools/bifrons/session.h"
#include "tools/bifrons/sight.h"
#include "tools/bifrons/streams.h"

namespace bifrons::cli {
namespace {

constexpr const char* kHelp =
    "/image FILE shows a picture, /reset forgets everything said, /quit ends (as Ctrl-D does); "
    "everything else is said to the model";

class Chat {
 public:
  Chat(Sight& sight, const SightArguments& arguments, bool interactive)
      : sight_(sight), arguments_(arguments), interactive_(interactive) {}

  void show(const std::string& path) {
    const Picture picture = picture_for(arguments_, path);
    sight_.understanding.show(picture);
    log(arguments_.verbosity, quote(path) + " is in view");
  }

  // False when the conversation is over.
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
      sight_.understanding.reset();
    } else if (command == "/image" && !operand.empty()) {
      show(operand);
    } else if (command == "/help") {
      log(arguments_.verbosity, kHelp);
    } else {
      throw Error(ErrorKind::kUsage, "no such command: " + quote(line, 60) + "; " + kHelp);
    }
    return true;
  }

  // A person gets to try again; a script is told by the exit code.
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
    const Reply reply = converse(sight_.understanding, arguments_, words);
    if (!arguments_.json) return;
    nlohmann::json record = record_of(reply);
    record["question"] = words;
    write_stdout(plain_json(record.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace)) +
                 "\n");
  }

  Sight& sight_;
  const SightArguments& arguments_;
  bool interactive_;
};

}  // namespace

int chat(Sight& sight, const SightArguments& arguments) {
  const bool interactive = stdin_is_terminal();
  Chat session(sight, arguments, interactive);
  if (interactive) log(arguments.verbosity, kHelp);
  if (!arguments.image.empty()) session.show(arguments.image);
  const std::unique_ptr<LineInput> lines = interactive ? terminal_lines() : plain_lines(false);
  while (std::optional<std::string> line = lines->next("> ")) {
    if (!session.take_or_report(std::move(*line))) break;
  }
  return 0;
}

}  // namespace bifrons::cli
