// `bifrons reconstruct`: converts a picture to image codes and back, and measures the similarity of
// the two.
#include <fmt/format.h>

#include <cmath>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>

#include "src/io/text.h"
#include "tools/bifrons/session.h"
#include "vision/pictures/psnr_ssim.h"

namespace bifrons::cli {
namespace {

struct Reconstruct {
  PictureFlags picture;
  OutputFlags output;  // metadata: only the AI mark
  EngineFlags engine;
  Verbosity verbosity;

  int run() const {
    output.check();
    const Picture given = read_picture_file(picture);
    const EngineSetup setup = engine.setup();
    const std::string stem = std::filesystem::path(picture.file).stem().string();
    const OutputPlan plan =
        plan_outputs({output.output, output.overwrite, false},
                     {{0, 1, slug(stem + " reconstructed"), model_name(setup.options.model)}});
    check_stdout_for(plan);
    Engine opened = open_engine(setup, verbosity);
    const Picture before = fit_to_model(opened, given, verbosity);
    const Picture after = opened.decode(opened.encode(before));
    const double noise = psnr(before, after), similarity = ssim(before, after);
    const PictureMetadata mark;  // empty texts: the mark alone
    const std::string file = deliver(after, output.metadata ? &mark : nullptr, plan, plan.file(0),
                                     output.json, verbosity);
    log(verbosity, fmt::format("PSNR {:.2f} dB, SSIM {:.4f}", noise, similarity));
    if (!output.json) return 0;
    nlohmann::json report = {{"schema", 1},          {"file", file},
                             {"width", after.width}, {"height", after.height},
                             {"psnr", nullptr},  // infinite for equal pictures, so null
                             {"ssim", similarity}};
    if (std::isfinite(noise)) report["psnr"] = noise;
    print_json(report);
    return 0;
  }
};

}  // namespace

void add_reconstruct(CLI::App& app, Chosen& chosen) {
  const auto reconstruct = std::make_shared<Reconstruct>();
  CLI::App& command = add_command(
      app, "reconstruct", "Encode a picture and decode it again, and say how alike the two are",
      chosen, [reconstruct] { return reconstruct->run(); });
  reconstruct->picture.add_to(command);
  reconstruct->output.add_to(command);
  reconstruct->engine.add_to(command);
  reconstruct->verbosity.add_to(command);
}

}  // namespace bifrons::cli
