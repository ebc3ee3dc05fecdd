// `bifrons tokenize`: the token ids of a text.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <memory>

#include "tools/bifrons/model_place.h"
#include "tools/bifrons/session.h"
#include "tools/bifrons/streams.h"

namespace bifrons::cli {
namespace {

struct Tokenize {
  ModelFlag model;
  std::string text;

  int run() const {
    check_text("the text", text);
    const ModelPlace place = find_model(model.value());
    const std::string asked = text == "-" ? text_on_stdin(kLongestFile) : text;
    write_stdout(fmt::format("[{}]\n", fmt::join(tokenize(place.directory, asked), ", ")));
    return 0;
  }
};

}  // namespace

void add_tokenize(CLI::App& app, Chosen& chosen) {
  const auto tokenize = std::make_shared<Tokenize>();
  CLI::App& command = add_command(app, "tokenize", "Print the token ids of a text", chosen,
                                  [tokenize] { return tokenize->run(); });
  add_operand(command, "TEXT", tokenize->text, "The text; - reads it from stdin, every byte");
  tokenize->model.add_to(command, "Directory with the tokenizer files");
}

}  // namespace bifrons::cli
