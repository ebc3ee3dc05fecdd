// `bifrons encode` and `bifrons reconstruct`: pictures to image codes, and back again.
#include <fmt/format.h>

#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "src/io/quote.h"
#include "src/io/text.h"
#include "src/variation.h"
#include "tools/bifrons/commands.h"
#include "tools/bifrons/model_place.h"
#include "tools/bifrons/picture_input.h"
#include "tools/bifrons/session.h"
#include "tools/bifrons/streams.h"
#include "tools/bifrons/tokens_file.h"
#include "vision/pictures/psnr_ssim.h"

namespace bifrons::cli {
namespace {

using nlohmann::json;

void print(const json& object) {
  write_stdout(plain_json(object.dump(-1, ' ', false, json::error_handler_t::replace)) + "\n");
}

Picture input_of(const EncodeArguments& arguments) {
  return read_picture_file(
      arguments.image, arguments.apply_orientation ? Orientation::kApply : Orientation::kAsStored);
}

Engine engine_for(const EncodeArguments& arguments, const ModelPlace& place) {
  EngineOptions options;
  options.model = place.directory;
  options.device = arguments.device;
  options.threads = arguments.threads;
  return open_engine(options, place.built_in, arguments.verbosity);
}

Picture fitted_to(const Engine& engine, const Picture& picture, const Verbosity& verbosity) {
  const int64_t size = engine.model().image_size;
  if (picture.width != size || picture.height != size) {
    log(verbosity, fmt::format("the middle of {}x{} pixels, scaled to {}x{}", picture.width,
                               picture.height, size, size));
  }
  return fitted(picture, size);
}

}  // namespace

int run(const EncodeArguments& arguments) {
  const Picture picture = input_of(arguments);
  const bool to_stdout = arguments.output == "-";
  if (!to_stdout) check_output_file(arguments.output, arguments.overwrite);
  check_stdout();
  Engine engine = engine_for(arguments, find_model(arguments.model));
  TokenRecord record{.drawn = false};
  record.tokens = engine.encode(fitted_to(engine, picture, arguments.verbosity));
  const std::string text = write_tokens({&record, 1}, engine.model());
  if (to_stdout) {
    write_stdout(plain_json(text));
    return 0;
  }
  const std::string file = save_output(arguments.output, arguments.overwrite,
                                       {reinterpret_cast<const uint8_t*>(text.data()), text.size()})
                               .string();
  if (arguments.json) {
    print({{"schema", 1}, {"file", file}, {"tokens", record.tokens.size()}});
  } else {
    write_stdout(file + "\n");
  }
  return 0;
}

int run(const ReconstructArguments& arguments) {
  const Picture picture = input_of(arguments);
  const ModelPlace place = find_model(arguments.model);
  const std::string stem = std::filesystem::path(arguments.image).stem().string();
  const OutputPlan plan =
      plan_outputs({arguments.output, arguments.overwrite, false},
                   {{0, 1, slug(stem + " reconstructed"), model_name(place.directory)}});
  check_stdout_for(plan);
  Engine engine = engine_for(arguments, place);
  const Picture before = fitted_to(engine, picture, arguments.verbosity);
  const Picture after = engine.decode(engine.encode(before));
  const double noise = psnr(before, after), similarity = ssim(before, after);
  const PictureMetadata mark;  // empty texts: the mark alone
  const std::string file = deliver(after, arguments.metadata ? &mark : nullptr, plan,
                                   plan.to_stdout ? std::filesystem::path() : plan.files[0],
                                   arguments.json, arguments.verbosity);
  log(arguments.verbosity, fmt::format("PSNR {:.2f} dB, SSIM {:.4f}", noise, similarity));
  if (arguments.json) {
    print({{"schema", 1},
           {"file", file},
           {"width", after.width},
           {"height", after.height},
           {"psnr", std::isfinite(noise) ? json(noise) : json(nullptr)},  // null: equal pictures
           {"ssim", similarity}});
  }
  return 0;
}

}  // namespace bifrons::cli
