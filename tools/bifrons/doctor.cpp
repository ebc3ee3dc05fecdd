// `bifrons doctor`: one line for each check, with advice, and the exit code of the first failure.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <filesystem>
#include <fstream>
#include <memory>
#include <thread>

#include "src/engine/model_files.h"
#include "src/io/durable_file.h"
#include "src/io/quote.h"
#include "tools/bifrons/gpu_report.h"
#include "tools/bifrons/mend.h"
#include "tools/bifrons/model_place.h"
#include "tools/bifrons/options.h"
#include "tools/bifrons/size_text.h"
#include "tools/bifrons/streams.h"

namespace bifrons::cli {
namespace {

namespace fs = std::filesystem;

constexpr size_t kMostFileLines = 60;

struct Report {
  std::string text;
  int exit_code = 0;

  void line(std::string_view verdict, std::string_view about, const std::string& what) {
    text += fmt::format("{:4}  {:8} {}\n", verdict, about, what);
  }
  void fail(std::string_view about, const Error& error) {
    line("fail", about, error.what());
    if (exit_code == 0) exit_code = error.exit_code();
  }
};

void check_build(Report& report) {
  const BuildInfo build = build_info();
  report.line("ok", "build", fmt::format("bifrons {}, {}", build.version, build.compiler));
  report.line("ok", "features",
              build.features.empty() ? "none" : fmt::format("{}", fmt::join(build.features, ", ")));
}

void check_processor(Report& report) {
  const BuildInfo build = build_info();
  const unsigned threads = std::thread::hardware_concurrency();
  if (build.instruction_sets.empty()) {
    report.line("warn", "cpu", fmt::format("{} threads, no vector kernels: slow", threads));
    return;
  }
  report.line("ok", "cpu",
              fmt::format("{} threads; kernels, best first: {}", threads,
                          fmt::join(build.instruction_sets, ", ")));
}

// A machine without a GPU is fine; a GPU that cannot be used is a warning. Returns the usable ones.
std::vector<DeviceInfo> check_gpus(Report& report) {
  std::vector<DeviceInfo> usable;
  for (DeviceInfo& device : devices(pdl_from_environment())) {
    if (device.name == "cpu") continue;
    try_device(device);
    if (!device.problem.empty()) {
      report.line("warn", "gpu",
                  device.about.empty() ? device.problem : device.name + ": " + device.problem);
      continue;
    }
    report.line("ok", "gpu", device.name + ", " + device.about);
    usable.push_back(device);
  }
  return usable;
}

// Kilobytes; 0 when unknown.
uint64_t available_memory() {
  std::ifstream file("/proc/meminfo");
  std::string key;
  uint64_t kilobytes = 0;
  std::string unit;
  while (file >> key >> kilobytes && std::getline(file, unit)) {
    if (key == "MemAvailable:") return kilobytes;
  }
  return 0;
}

uint64_t kilobytes_in(const std::string& directory) {
  uint64_t bytes = 0;
  std::error_code error;
  for (fs::directory_iterator at(directory, error), end; !error && at != end; at.increment(error)) {
    std::error_code unreadable;
    const uint64_t size = at->is_regular_file(unreadable) ? at->file_size(unreadable) : 0;
    if (!unreadable) bytes += size;
  }
  return bytes >> 10;
}

// One line for each file of a model, and the command that mends what is wrong.
void check_files(Report& report, const std::string& directory) {
  bool wrong = false;
  std::vector<std::string> damaged;
  size_t count = 0;
  for (const ModelFile& file : list_model_files(directory)) {
    const bool fine = file.problem.empty();
    if (!fine && file.needed) {
      wrong = true;
      if (!file.missing) damaged.push_back(file.name);
    }
    if (++count > kMostFileLines && fine) continue;
    const std::string name = quote_if_needed(file.name);
    report.line(fine          ? "ok"
                : file.needed ? "fail"
                              : "warn",
                "file",
                fine ? fmt::format("{}: {}, {}", name, file.what,
                                   size_text(static_cast<double>(file.bytes)))
                     : fmt::format("{} {}", name, file.problem));
  }
  if (count > kMostFileLines) {
    report.line("", "file", fmt::format("and others, of {} in all", count));
  }
  if (wrong) report.line("", "mend", mend_command(directory, damaged));
}

// Whether the usable GPUs hold the model.
void check_room(Report& report, const std::vector<DeviceInfo>& gpus, const ModelSummary& model) {
  for (const DeviceInfo& gpu : gpus) {
    const Fit fit = fit_on(gpu, model.gpu_bytes);
    report.line(fit.fits ? "ok" : "warn", "memory", fit.words);
  }
}

// Whether this machine's memory holds the model, and in which formats it would.
void check_host_room(Report& report, const ModelSummary& model) {
  const auto memory = static_cast<int64_t>(available_memory() << 10);
  std::string words, fitting;
  for (const auto& [format, bytes] : model.host_bytes) {
    const std::string size = size_text(static_cast<double>(bytes));
    const bool stored = format == "stored";
    words += stored ? fmt::format("one picture takes {}", size)
                    : fmt::format(", with --weights {} {}", format, size);
    if (!stored && fitting.empty() && memory >= bytes) fitting = format;
  }
  for (const auto& [what, bytes] : model.host_bytes_with) {
    words += fmt::format(", with {} {}", what, size_text(static_cast<double>(bytes)));
  }
  const bool fits = memory == 0 || memory >= model.host_bytes.front().second;
  words = fmt::format("{} free; {}", size_text(static_cast<double>(memory)), words);
  if (!fits && !fitting.empty()) words += fmt::format(": take --weights {}", fitting);
  report.line(fits ? "ok" : "warn", "memory", words);
}

void check_model(Report& report, const std::string& wanted, const std::vector<DeviceInfo>& gpus) {
  ModelPlace place;
  try {
    place = find_model(wanted);
  } catch (const Error& error) {
    report.fail("model", error);
    return;
  }
  const uint64_t size = kilobytes_in(place.directory);
  try {
    check_files(report, place.directory);
    const ModelSummary model = summarize_model(place.directory);
    const int64_t sums = verify_weights(place.directory);
    report.line(
        "ok", "model",
        fmt::format("{}{}, {} MB{}", quote(place.directory), place.built_in ? " (built in)" : "",
                    size >> 10, sums > 0 ? fmt::format(", {} checksums right", sums) : ""));
    check_room(report, gpus, model);
    check_host_room(report, model);
  } catch (const Error& error) {
    report.fail("model", error);
  }
}

void check_output(Report& report, const std::string& directory) {
  try {
    check_writable(fs::path(directory) / "bifrons-doctor.png");
    report.line("ok", "output", fmt::format("{} takes pictures", quote(directory)));
  } catch (const Error& error) {
    report.fail("output", error);
  }
}

struct Doctor {
  ModelFlag model;
  std::string directory;  // output directory of pictures

  int run() const {
    Report report;
    check_build(report);
    check_processor(report);
    const std::vector<DeviceInfo> gpus = check_gpus(report);
    check_model(report, model.value(), gpus);
    check_output(report, directory.empty() ? "." : directory);
    write_stdout(report.text);
    return report.exit_code;
  }
};

}  // namespace

void add_doctor(CLI::App& app, Chosen& chosen) {
  const auto doctor = std::make_shared<Doctor>();
  CLI::App& command = add_command(app, "doctor", "Check this build, this machine and the model",
                                  chosen, [doctor] { return doctor->run(); });
  doctor->model.add_to(command, "Directory or name of a model");
  add_text(command, "-o,--output", "DIR", doctor->directory, "Directory pictures would go to");
}

}  // namespace bifrons::cli
