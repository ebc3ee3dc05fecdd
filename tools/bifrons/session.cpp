// The parts that generate and decode share.
#include "tools/bifrons/session.h"

#include <fmt/format.h>

#include "src/io/quote.h"
#include "tools/bifrons/environment.h"
#include "tools/bifrons/model_place.h"
#include "tools/bifrons/signals.h"
#include "tools/bifrons/streams.h"

namespace bifrons::cli {

void log(const Verbosity& verbosity, const std::string& line) {
  if (!verbosity.quiet) print_stderr("bifrons: " + line + "\n");
}

Engine open_engine(EngineOptions options, bool built_in, const Verbosity& verbosity) {
  if (built_in) log(verbosity, built_in_note());
  options.pdl = pdl_from_environment();
  Engine engine = Engine::open(options);
  if (!engine.fallback().empty()) log(verbosity, engine.fallback() + "; drawing on the CPU");
  if (stop_requested()) throw Error(ErrorKind::kInterrupted, "stopped before drawing");
  if (verbosity.verbose) {
    const ModelInfo& model = engine.model();
    log(verbosity,
        fmt::format("model {} ({}, {}, hash {}), {}x{} pixels from {} tokens",
                    quote(model.directory), model.form, model.weights_dtype, model.weights_hash,
                    model.image_size, model.image_size, model.image_tokens));
    log(verbosity, "device " + engine.device());
  }
  return engine;
}

std::string model_name(const std::string& directory) {
  std::string name;
  for (char c : name_of_model(directory)) {
    const bool kept = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                      c == '.' || c == '_' || c == '-';
    name.push_back(kept ? c : '-');
  }
  return name.empty() || name[0] == '.' ? "model" + name : name;
}

std::string deliver(const Picture& picture, const PictureMetadata* metadata, const OutputPlan& plan,
                    const std::filesystem::path& file, bool silent, const Verbosity& verbosity) {
  if (plan.to_stdout) {
    write_stdout(encode_picture(picture, PictureFormat::kPng, metadata));
    return "-";
  }
  const std::filesystem::path saved =
      save_output(file, plan.replace, encode_picture(picture, format_of_output(file), metadata));
  if (saved != file) {
    log(verbosity, quote(file.string()) + " appeared meanwhile; wrote " + quote(saved.string()));
  }
  if (!silent) write_stdout(saved.string() + "\n");
  return saved.string();
}

void check_stdout_for(const OutputPlan& plan) {
  check_stdout();
  if (plan.to_stdout && stdout_is_terminal()) {
    throw Error(ErrorKind::kUsage, "--output - would write a PNG to this terminal; use a pipe");
  }
}

}  // namespace bifrons::cli
