// `bifrons decode`: converts image codes to pictures, without drawing.
#include <fmt/format.h>

#include <memory>
#include <nlohmann/json.hpp>

#include "src/io/quote.h"
#include "src/io/text.h"
#include "tools/bifrons/session.h"
#include "tools/bifrons/signals.h"
#include "tools/bifrons/streams.h"
#include "tools/bifrons/tokens_file.h"

namespace bifrons::cli {
namespace {

// Compares the tokens file with the model. Codes for another grid cannot be decoded. Codes of
// another model with the same grid can.
void check_record(const TokenRecord& record, const ModelInfo& model, const std::string& name,
                  const Verbosity& verbosity) {
  int64_t side = 0;
  while (side * side < model.image_tokens) ++side;
  if (!record.grid.empty() && record.grid != std::vector<int64_t>{side, side}) {
    throw Error(ErrorKind::kData,
                fmt::format("{}: its grid is {} x {}, but this model's is {} x {}", name,
                            record.grid[0], record.grid[1], side, side));
  }
  if (!record.model_hash.empty() && record.model_hash != model.weights_hash) {
    log(verbosity, fmt::format("{}: these codes are of {}, this is {}: expect another picture",
                               name, quote(record.model_name), quote(model.name)));
  }
}

std::vector<NameFacts> facts_for(const std::vector<TokenRecord>& records,
                                 const std::string& model) {
  std::vector<NameFacts> facts;
  for (const TokenRecord& record : records) {
    facts.push_back({record.seed, static_cast<int64_t>(facts.size()) + 1,
                     slug(record.prompt.empty() ? "decoded" : record.prompt), model});
  }
  return facts;
}

struct Decode {
  std::string tokens;  // - is stdin
  OutputFlags output;  // metadata: only the AI mark, because codes have no settings
  EngineFlags engine;
  Verbosity verbosity;

  int run() const {
    output.check();
    const bool from_stdin = tokens == "-";
    const std::string name = from_stdin ? "stdin" : quote(tokens);
    const std::vector<TokenRecord> records =
        read_tokens(from_stdin ? read_stdin(kLongestFile) : read_file(tokens, kLongestFile), name);
    const EngineSetup setup = engine.setup();
    const OutputPlan plan = plan_outputs({output.output, output.overwrite, false},
                                         facts_for(records, model_name(setup.options.model)));
    check_stdout_for(plan);
    Engine opened = open_engine(setup, verbosity);
    nlohmann::json files = nlohmann::json::array();
    for (size_t i = 0; i < records.size(); ++i) {
      heed_stop();
      check_record(records[i], opened.model(), name, verbosity);
      files.push_back(decode(opened, records[i], name, plan, i));
    }
    if (output.json) print_json({{"schema", 1}, {"pictures", files}});
    return 0;
  }

 private:
  nlohmann::json decode(Engine& opened, const TokenRecord& record, const std::string& name,
                        const OutputPlan& plan, size_t i) const {
    Picture picture;
    try {
      picture = opened.decode(record.tokens);
    } catch (const Error& error) {
      throw Error(error.kind(), name + ": " + error.what());
    }
    const PictureMetadata mark;  // empty texts: the mark alone
    return {{"file", deliver(picture, output.metadata ? &mark : nullptr, plan, plan.file(i),
                             output.json, verbosity)},
            {"width", picture.width},
            {"height", picture.height}};
  }
};

}  // namespace

void add_decode(CLI::App& app, Chosen& chosen) {
  const auto decode = std::make_shared<Decode>();
  CLI::App& command = add_command(app, "decode", "Make a picture of image codes", chosen,
                                  [decode] { return decode->run(); });
  add_operand(command, "TOKENS", decode->tokens, "A --tokens-out file or a JSON array; - is stdin");
  decode->output.add_to(command);
  decode->engine.add_to(command);
  decode->verbosity.add_to(command);
}

}  // namespace bifrons::cli
