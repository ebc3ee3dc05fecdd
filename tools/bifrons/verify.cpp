// `bifrons verify`: reads a model's files and compares them with their checksums.
#include <fmt/format.h>

#include <filesystem>
#include <memory>

#include "src/engine/model_files.h"
#include "src/io/quote.h"
#include "tools/bifrons/mend.h"
#include "tools/bifrons/model_place.h"
#include "tools/bifrons/options.h"
#include "tools/bifrons/progress_bar.h"
#include "tools/bifrons/signals.h"
#include "tools/bifrons/size_text.h"
#include "tools/bifrons/streams.h"

namespace bifrons::cli {
namespace {

std::string line_of(const VerifiedFile& file) {
  const std::string name = quote_if_needed(file.name);
  if (!file.problem.empty()) return fmt::format("fail  {}: {}\n", name, file.problem);
  const std::string size = size_text(static_cast<double>(file.bytes));
  return file.compared.empty()
             ? fmt::format("note  {}: {}, no checksum to compare with\n", name, size)
             : fmt::format("ok    {}: {}, {} is right\n", name, size, file.compared);
}

struct Verify {
  ModelFlag model;
  Verbosity verbosity;

  int run() const {
    const ModelPlace place = find_model(model.value());
    std::unique_ptr<ProgressBar> bar;
    const Verification found = verify_model(place.directory, [&](int64_t done, int64_t total) {
      if (!bar) {
        bar = std::make_unique<ProgressBar>(!verbosity.quiet && stderr_is_terminal(),
                                            total / kBytesOfABarUnit, "MB");
      }
      bar->update(done / kBytesOfABarUnit);
      return !stop_requested();
    });
    bar.reset();
    return report(place.directory, found);
  }

  static int report(const std::string& directory, const Verification& found) {
    std::string text;
    std::vector<std::string> damaged;
    for (const VerifiedFile& file : found.files) {
      text += line_of(file);
      if (!file.problem.empty()) damaged.push_back(file.name);
    }
    for (const std::string& problem : found.problems) text += "fail  " + problem + "\n";
    const bool whole = damaged.empty() && found.problems.empty();
    if (whole) {
      text += fmt::format("ok    {} tensors{}: all numbers are finite\n", found.tensors,
                          found.quantisation.empty() ? "" : ", " + found.quantisation);
    }
    if (!whole) text += fmt::format("mend  {}\n", mend_command(directory, damaged));
    write_stdout(text);
    if (whole) return 0;
    throw Error(found.kind,
                fmt::format("{}: {} found", quote(directory),
                            damaged.size() + found.problems.size() == 1 ? "a problem was"
                                                                        : "several problems were"));
  }
};

}  // namespace

void add_verify(CLI::App& app, Chosen& chosen) {
  const auto verify = std::make_shared<Verify>();
  CLI::App& command = add_command(app, "verify", "Read all weights and compare their checksums",
                                  chosen, [verify] { return verify->run(); });
  verify->model.add_to(command, "Directory or name of a model");
  verify->verbosity.add_to(command);
}

}  // namespace bifrons::cli
