// Writes the same pictures, encoded by the same threads, to plain files and to a Store.
#include "tools/bench/durability.h"

#include <fmt/format.h>
#include <stdlib.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <vector>

#include "src/batch/writer_threads.h"
#include "src/io/paths.h"
#include "src/io/quote.h"
#include "src/store/store.h"
#include "tools/bench/measure.h"
#include "vision/pictures/picture_file.h"

namespace bifrons {
namespace {

namespace fs = std::filesystem;

constexpr int kWriters = 2;  // as in a batch on two cores

// A directory that its destructor removes.
class OwnDirectory {
 public:
  explicit OwnDirectory(const std::string& parent) {
    std::string name = (fs::path(parent) / "bifrons-bench-XXXXXX").string();
    if (mkdtemp(name.data()) == nullptr) {
      throw Error(ErrorKind::kCannotWrite,
                  fmt::format("{}: {}", quote(parent), std::strerror(errno)));
    }
    path_ = name;
  }
  ~OwnDirectory() {
    std::error_code ignored;  // a failure leaves a directory with benchmark pictures
    fs::remove_all(path_, ignored);
  }
  OwnDirectory(const OwnDirectory&) = delete;
  OwnDirectory& operator=(const OwnDirectory&) = delete;
  const fs::path& path() const { return path_; }

 private:
  fs::path path_;
};

// Called by several threads.
using Keep = std::function<void(const std::string& name, const std::vector<uint8_t>& file)>;

// Seconds until everything is drawn and written and `finish` has run.
double draw(Engine& engine, const BatchBenchOptions& options, const Keep& keep,
            const std::function<void()>& finish) {
  const auto start = std::chrono::steady_clock::now();
  WriterThreads writers(kWriters);
  engine.draw_batch(bench_jobs(options),
                    [&](BatchResult result) {
                      if (result.error) throw *result.error;
                      writers.add([&keep, id = result.id, drawing = std::move(*result.drawing)] {
                        keep(fmt::format("{:06}.png", id),
                             encode_picture(drawing.picture, PictureFormat::kPng, nullptr));
                      });
                    },
                    {.lanes = options.lanes.back()});
  writers.finish();
  finish();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

double draw_plain(Engine& engine, const BatchBenchOptions& options, const fs::path& directory) {
  const auto keep = [&](const std::string& name, const std::vector<uint8_t>& file) {
    std::ofstream out(directory / name, std::ios::binary);
    out.write(reinterpret_cast<const char*>(file.data()),
              static_cast<std::streamsize>(file.size()));
    if (!out.flush()) throw Error(ErrorKind::kCannotWrite, quote(name) + " cannot be written");
  };
  return draw(engine, options, keep, [] {});
}

double draw_durable(Engine& engine, const BatchBenchOptions& options, const fs::path& directory) {
  Store store({.directory = directory.string()});
  const std::string hash = engine.model().weights_hash;
  const auto keep = [&](const std::string& name, const std::vector<uint8_t>& file) {
    store.add({name, hash, 0, "", std::string(64, '0')}, "\"text\":\"\"", file);
  };
  return draw(engine, options, keep, [&] { store.finish(0); });
}

}  // namespace

DurabilityReport measure_durability(
    const BatchBenchOptions& options, const std::string& directory,
    const std::function<void(const std::string&)>& report_progress) {
  Engine engine = Engine::open(options.engine);
  const OwnDirectory own(directory);
  std::vector<double> plain, durable, percents;
  for (int repeat = 0; repeat < options.repeats; ++repeat) {
    report_progress(fmt::format("{} pictures kept plainly and durably", options.pictures));
    const auto place = [&](const char* kind) {
      const fs::path path = own.path() / fmt::format("{}-{}", kind, repeat);
      make_directories(path);
      return path;
    };
    plain.push_back(draw_plain(engine, options, place("plain")));
    durable.push_back(draw_durable(engine, options, place("durable")));
    percents.push_back(100 * (durable.back() / plain.back() - 1));
  }
  return {options.lanes.back(), options.pictures, median(plain), median(durable), median(percents)};
}

std::string table_of(const DurabilityReport& report) {
  return fmt::format(
      "\n{} pictures, {} at once: {:.2f} s in plain files, {:.2f} s durably; durability adds "
      "{:.1f} %\n",
      report.pictures, report.lanes, report.plain_seconds, report.durable_seconds, report.percent);
}

}  // namespace bifrons
