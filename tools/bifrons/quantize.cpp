// `bifrons quantize`: writes a copy of a model with fewer bits.
#include <fmt/format.h>

#include <memory>

#include "src/engine/quantise_model.h"
#include "src/io/quote.h"
#include "tools/bifrons/model_place.h"
#include "tools/bifrons/options.h"
#include "tools/bifrons/progress_bar.h"
#include "tools/bifrons/session.h"
#include "tools/bifrons/signals.h"
#include "tools/bifrons/size_text.h"
#include "tools/bifrons/streams.h"

namespace bifrons::cli {
namespace {

struct Quantize {
  ModelFlag model;
  std::string output;
  LinearFormat type = LinearFormat::kStored;
  Verbosity verbosity;

  int run() const {
    if (type == LinearFormat::kStored) {
      throw Error(ErrorKind::kUsage, "--type is missing: int8 or int4");
    }
    const ModelPlace place = find_model(model.value());
    std::unique_ptr<ProgressBar> bar;
    const QuantisedModel made =
        quantise_model(place.directory, output, type, [&](int64_t done, int64_t total) {
          if (!bar) {
            bar = std::make_unique<ProgressBar>(!verbosity.quiet && stderr_is_terminal(),
                                                total / kBytesOfABarUnit, "MB");
          }
          bar->update(done / kBytesOfABarUnit);
          return !stop_requested();
        });
    bar.reset();
    log(verbosity, fmt::format("{} matrices of {} are {} now: {} instead of {}", made.matrices,
                               quote(place.directory), name_of(type),
                               size_text(static_cast<double>(made.bytes)),
                               size_text(static_cast<double>(made.bytes_before))));
    write_stdout(output + "\n");
    return 0;
  }
};

}  // namespace

void add_quantize(CLI::App& app, Chosen& chosen) {
  const auto quantize = std::make_shared<Quantize>();
  CLI::App& command = add_command(app, "quantize", "Write a copy of a model with 8 or 4 bits",
                                  chosen, [quantize] { return quantize->run(); });
  quantize->model.add_to(command, "Directory or name of a model with full weights");
  add_text(command, "-o,--output", "DIR", quantize->output,
           "Directory of the new model; it must not exist, or be empty", {.required = true});
  add_choice<LinearFormat>(command, "--type",
                           {{"int8", LinearFormat::kInt8}, {"int4", LinearFormat::kInt4}},
                           quantize->type, "int8 or int4");
  quantize->verbosity.add_to(command);
}

}  // namespace bifrons::cli
