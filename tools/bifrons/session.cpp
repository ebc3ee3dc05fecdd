// Errors about a file name the file, wherever they are found.
#include "tools/bifrons/session.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "kernels/utf8.h"
#include "src/io/quote.h"
#include "src/variation.h"
#include "tools/bifrons/model_place.h"
#include "tools/bifrons/signals.h"
#include "tools/bifrons/streams.h"
#include "vision/pictures/picture_codec.h"

namespace bifrons::cli {

void log(const Verbosity& verbosity, const std::string& line) {
  if (!verbosity.quiet) print_stderr("bifrons: " + line + "\n");
}

Engine open_engine(const EngineSetup& setup, const Verbosity& verbosity) {
  if (setup.built_in) log(verbosity, built_in_note());
  load_picture_codec();  // a broken installation is said before the drawing
  Engine engine = Engine::open(setup.options);
  if (!engine.fallback().empty()) log(verbosity, engine.fallback() + "; drawing on the CPU");
  if (engine.model().kv != setup.options.kv) {
    log(verbosity,
        "keys and values are kept in 8 bits, as with --kv int8, to stay within --max-memory; "
        "pictures differ a little from those with --kv stored");
  }
  if (stop_requested()) throw Error(ErrorKind::kInterrupted, "stopped before drawing");
  if (verbosity.verbose) {
    const ModelInfo& model = engine.model();
    log(verbosity,
        fmt::format("model {} ({}, {}, hash {}), {}x{} pixels from {} tokens",
                    quote(model.directory), model.form, model.weights_dtype, model.weights_hash,
                    model.image_size, model.image_size, model.image_tokens));
    log(verbosity, "device " + engine.device());
    if (setup.options.max_memory > 0) {
      log(verbosity, fmt::format("--max-memory allows {} pictures at once", engine.most_lanes()));
    }
  }
  return engine;
}

double codes_per_pass(const SpeculationStats& stats) {
  if (stats.lane_passes == 0) return 0;
  return static_cast<double>(stats.codes) / static_cast<double>(stats.lane_passes);
}

SpeculationStats total_speculation(std::span<const Engine> engines) {
  SpeculationStats all;
  for (const Engine& engine : engines) {
    const SpeculationStats one = engine.speculation();
    all.passes += one.passes;
    all.lane_passes += one.lane_passes;
    all.codes += one.codes;
    all.columns += one.columns;
  }
  return all;
}

bool is_stop(const std::exception_ptr& failure) {
  if (!failure || !stop_requested()) return false;
  try {
    std::rethrow_exception(failure);
  } catch (const Error& error) {
    return error.kind() == ErrorKind::kInterrupted;
  } catch (...) {
    return false;
  }
}

double mean_width(const SpeculationStats& stats) {
  if (stats.lane_passes == 0) return 0;
  return static_cast<double>(stats.columns) / static_cast<double>(stats.lane_passes);
}

std::string speculation_text(const SpeculationStats& stats) {
  return fmt::format("{} passes, {:.2f} codes of a picture in a pass, windows {:.1f} wide",
                     stats.passes, codes_per_pass(stats), mean_width(stats));
}

void log_speculation(const SpeculationStats& stats, const Verbosity& verbosity) {
  if (verbosity.verbose) log(verbosity, speculation_text(stats));
}

std::string decoding_text(const DecodeStats& stats) {
  if (stats.asked < 2) return {};
  std::string words = fmt::format("decoded {} pictures in {} passes of at most {}", stats.pictures,
                                  stats.passes, stats.together);
  if (stats.together < stats.asked) {
    words += fmt::format("; this device gives other bits for {} in a pass", stats.asked);
  }
  return words;
}

void log_decoding(const DecodeStats& stats, const Verbosity& verbosity) {
  const std::string words = decoding_text(stats);
  if (verbosity.verbose && !words.empty()) log(verbosity, words);
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

std::string text_on_stdin(size_t most) {
  std::string text = read_stdin(most);
  if (const auto at = invalid_utf8(text)) {
    throw Error(ErrorKind::kData, fmt::format("stdin is not valid UTF-8 at byte {}", *at));
  }
  return text;
}

std::string picture_bytes(const std::string& path) {
  if (path != "-") return read_file(path, kMostPictureBytes);
  if (stdin_is_terminal()) {
    throw Error(ErrorKind::kUsage,
                "- reads a picture from standard input, which is a terminal; use a pipe");
  }
  return read_stdin(kMostPictureBytes);
}

Picture picture_of(const std::string& bytes, const std::string& path, Orientation orientation) {
  try {
    return read_picture({reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()},
                        orientation);
  } catch (const Error& error) {
    throw Error(error.kind(), (path == "-" ? "stdin" : quote(path)) + ": " + error.what());
  }
}

Picture read_picture_file(const std::string& path, Orientation orientation) {
  return picture_of(picture_bytes(path), path, orientation);
}

Picture read_picture_file(const PictureFlags& flags) {
  return read_picture_file(flags.file, flags.orientation);
}

Picture fit_to_model(const Engine& engine, const Picture& picture, const Verbosity& verbosity) {
  const int64_t size = engine.model().image_size;
  if (picture.width != size || picture.height != size) {
    log(verbosity, fmt::format("the middle of {}x{} pixels, scaled to {}x{}", picture.width,
                               picture.height, size, size));
  }
  return fitted(picture, size);
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

void print_json(const nlohmann::json& object) {
  constexpr auto kReplace = nlohmann::json::error_handler_t::replace;
  write_stdout(plain_json(object.dump(-1, ' ', false, kReplace)) + "\n");
}

}  // namespace bifrons::cli
