// `bifrons merge` and `bifrons gallery`: what comes after a batch.
#include "src/store/merge.h"

#include <fmt/format.h>

#include "src/io/directory.h"
#include "src/io/quote.h"
#include "src/store/gallery.h"
#include "tools/bifrons/batch.h"
#include "tools/bifrons/session.h"
#include "tools/bifrons/signals.h"
#include "tools/bifrons/streams.h"

namespace bifrons::cli {
namespace {

constexpr size_t kShownProblems = 20;

int say_problems(const MergeReport& report) {
  for (size_t i = 0; i < report.problems.size() && i < kShownProblems; ++i) {
    print_stderr("bifrons: " + report.problems[i] + "\n");
  }
  if (report.problems.size() > kShownProblems) {
    print_stderr(
        fmt::format("bifrons: {} more problems\n", report.problems.size() - kShownProblems));
  }
  return report.problems.empty() ? 0 : kExitSomeFailed;
}

}  // namespace

int run(const MergeArguments& arguments) {
  if (arguments.output.empty() && !arguments.check && arguments.directories.size() > 1) {
    throw Error(ErrorKind::kUsage, "several directories need -o for the one they become");
  }
  for (const std::string& directory : arguments.directories) {
    Directory::open(directory);  // says why there is none
    if (manifests_in(directory).empty()) {
      throw Error(ErrorKind::kMissing, quote(directory) + " holds no metadata.jsonl of a batch");
    }
  }
  if (arguments.check) {
    const MergeReport report = check_batches(arguments.directories, stop_requested);
    log(arguments.verbosity,
        fmt::format("{} pictures listed, {} problems", report.pictures, report.problems.size()));
    return say_problems(report);
  }
  const std::string output =
      arguments.output.empty() ? arguments.directories.front() : arguments.output;
  const MergeReport report = merge_batches(arguments.directories, output, stop_requested);
  log(arguments.verbosity, fmt::format("{} pictures in {}", report.pictures, quote(output)));
  write_stdout(output + "/metadata.jsonl\n");
  return say_problems(report);
}

int run(const GalleryArguments& arguments) {
  Directory::open(arguments.directory);  // says why there is none
  const int64_t pictures = write_gallery(arguments.directory);
  log(arguments.verbosity, fmt::format("{} pictures", pictures));
  write_stdout(arguments.directory + "/index.html\n");
  return 0;
}

}  // namespace bifrons::cli
