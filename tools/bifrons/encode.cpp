// `bifrons encode`: converts a picture to image codes for `bifrons decode`.
#include <memory>
#include <nlohmann/json.hpp>

#include "src/io/quote.h"
#include "tools/bifrons/session.h"
#include "tools/bifrons/streams.h"
#include "tools/bifrons/tokens_file.h"

namespace bifrons::cli {
namespace {

struct Encode {
  PictureFlags picture;
  OutputFlags output;  // of the JSON file
  EngineFlags engine;
  Verbosity verbosity;

  int run() const {
    output.check();
    const Picture before = read_picture_file(picture);
    const bool to_stdout = output.output == "-";
    if (!to_stdout) check_output_file(output.output, output.overwrite);
    check_stdout();
    Engine opened = open_engine(engine.setup(), verbosity);
    TokenRecord record{.drawn = false};
    record.tokens = opened.encode(fit_to_model(opened, before, verbosity));
    const std::string text = write_tokens({&record, 1}, opened.model());
    if (to_stdout) {
      write_stdout(plain_json(text));
      return 0;
    }
    const std::string file = save_text(output.output, output.overwrite, text);
    if (output.json) {
      print_json({{"schema", 1}, {"file", file}, {"tokens", record.tokens.size()}});
    } else {
      write_stdout(file + "\n");
    }
    return 0;
  }
};

}  // namespace

void add_encode(CLI::App& app, Chosen& chosen) {
  const auto encode = std::make_shared<Encode>();
  CLI::App& command = add_command(app, "encode", "Take a picture apart into image codes", chosen,
                                  [encode] { return encode->run(); });
  encode->picture.add_to(command);
  add_text(command, "-o,--output", "FILE", encode->output.output,
           "The JSON file, as decode reads it; - is stdout", {.required = true});
  add_flag(command, "-y,--overwrite", encode->output.overwrite, "Replace existing files");
  add_flag(command, "--json", encode->output.json, "Print one JSON object instead of paths");
  encode->engine.add_to(command);
  encode->verbosity.add_to(command);
}

}  // namespace bifrons::cli
