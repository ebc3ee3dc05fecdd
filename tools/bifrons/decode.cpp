// `bifrons decode`: image codes to pictures, without drawing.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "src/io/quote.h"
#include "src/io/text.h"
#include "tools/bifrons/commands.h"
#include "tools/bifrons/model_place.h"
#include "tools/bifrons/session.h"
#include "tools/bifrons/signals.h"
#include "tools/bifrons/streams.h"
#include "tools/bifrons/tokens_file.h"

namespace bifrons::cli {
namespace {

// What a tokens file says of itself: another grid cannot be decoded, another model can.
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

}  // namespace

int run(const DecodeArguments& arguments) {
  const bool from_stdin = arguments.tokens == "-";
  const std::string name = from_stdin ? "stdin" : quote(arguments.tokens);
  const std::vector<TokenRecord> records = read_tokens(
      from_stdin ? read_stdin(kLongestFile) : read_file(arguments.tokens, kLongestFile), name);

  const ModelPlace place = find_model(arguments.model);
  std::vector<NameFacts> facts;
  for (const TokenRecord& record : records) {
    facts.push_back({record.seed, static_cast<int64_t>(facts.size()) + 1,
                     slug(record.prompt.empty() ? "decoded" : record.prompt),
                     model_name(place.directory)});
  }
  const OutputPlan plan = plan_outputs({arguments.output, arguments.overwrite, false}, facts);
  check_stdout_for(plan);

  EngineOptions options;
  options.model = place.directory;
  options.device = arguments.device;
  options.threads = arguments.threads;
  Engine engine = open_engine(options, place.built_in, arguments.verbosity);
  const PictureMetadata mark;  // empty texts: the mark alone
  nlohmann::json files = nlohmann::json::array();
  for (size_t i = 0; i < records.size(); ++i) {
    heed_stop();
    check_record(records[i], engine.model(), name, arguments.verbosity);
    Picture picture;
    try {
      picture = engine.decode(records[i].tokens);
    } catch (const Error& error) {
      throw Error(error.kind(), name + ": " + error.what());
    }
    files.push_back({{"file", deliver(picture, arguments.metadata ? &mark : nullptr, plan,
                                      plan.to_stdout ? std::filesystem::path() : plan.files[i],
                                      arguments.json, arguments.verbosity)},
                     {"width", picture.width},
                     {"height", picture.height}});
  }
  if (arguments.json) {
    const nlohmann::json report = {{"schema", 1}, {"pictures", files}};
    write_stdout(plain_json(report.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace)) +
                 "\n");
  }
  return 0;
}

}  // namespace bifrons::cli
