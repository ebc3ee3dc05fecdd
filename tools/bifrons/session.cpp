// The parts that generate and decode share.
#include "tools/bifrons/session.h"

#include <fmt/format.h>

#include "src/io/quote.h"
#include "tools/bifrons/environment.h"
#include "tools/bifrons/model_place.h"
#include "tools/bifrons/signals.h"
#include "tools/bifrons/streams.h"

namespace bifrons::cli {

void note(const Talk& talk, const std::string& line) {
  if (!talk.quiet) say("bifrons: " + line + "\n");
}

Engine open_engine(EngineOptions options, bool built_in, const Talk& talk) {
  if (built_in) note(talk, built_in_note());
  options.pdl = pdl_from_environment();
  Engine engine = Engine::open(options);
  if (!engine.fallback().empty()) note(talk, engine.fallback() + "; drawing on the CPU");
  if (stop_requested()) throw Error(ErrorKind::kInterrupted, "stopped before drawing");
  if (talk.verbose) {
    const ModelInfo& model = engine.model();
    note(talk,
         fmt::format("model {} ({}, {}, hash {}), {}x{} pixels from {} tokens",
                     quote(model.directory), model.form, model.weights_dtype, model.weights_hash,
                     model.image_size, model.image_size, model.image_tokens));
    note(talk, "device " + engine.device());
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
                    const std::filesystem::path& file, bool silent, const Talk& talk) {
  if (plan.to_stdout) {
    write_stdout(encode_picture(picture, PictureFormat::kPng, metadata));
    return "-";
  }
  const std::filesystem::path saved =
      save_output(file, plan.replace, encode_picture(picture, format_of_output(file), metadata));
  if (saved != file) {
    note(talk, quote(file.string()) + " appeared meanwhile; wrote " + quote(saved.string()));
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
