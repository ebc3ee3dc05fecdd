// `bifrons inspect`: what a model directory holds.
#include <memory>

#include "tools/bifrons/model_place.h"
#include "tools/bifrons/options.h"
#include "tools/bifrons/streams.h"

namespace bifrons::cli {
namespace {

struct Inspect {
  ModelFlag model;
  bool json = false;

  int run() const {
    const ModelPlace place = find_model(model.value());
    std::string text = json ? inspect_json(place.directory) : inspect(place.directory);
    if (!text.ends_with('\n')) text += '\n';
    write_stdout(text);
    return 0;
  }
};

}  // namespace

void add_inspect(CLI::App& app, Chosen& chosen) {
  const auto inspect = std::make_shared<Inspect>();
  CLI::App& command = add_command(app, "inspect", "Show what a model directory holds", chosen,
                                  [inspect] { return inspect->run(); });
  inspect->model.add_to(command, "Directory or name of a model");
  add_flag(command, "--json", inspect->json, "Print one JSON object");
}

}  // namespace bifrons::cli
