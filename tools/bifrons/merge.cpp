// `bifrons merge`: joins the parts of a batch that shards have drawn, or checks them.
#include "src/store/merge.h"

#include <fmt/format.h>

#include <memory>

#include "src/io/directory.h"
#include "src/io/quote.h"
#include "src/store/manifest.h"
#include "tools/bifrons/session.h"
#include "tools/bifrons/signals.h"
#include "tools/bifrons/streams.h"

namespace bifrons::cli {
namespace {

constexpr size_t kShownProblems = 20;

int print_problems(const MergeReport& report) {
  for (size_t i = 0; i < report.problems.size() && i < kShownProblems; ++i) {
    print_stderr("bifrons: " + report.problems[i] + "\n");
  }
  if (report.problems.size() > kShownProblems) {
    print_stderr(
        fmt::format("bifrons: {} more problems\n", report.problems.size() - kShownProblems));
  }
  return report.problems.empty() ? 0 : kExitSomeFailed;
}

struct Merge {
  std::vector<std::string> directories;
  std::string output;
  bool check = false;
  Verbosity verbosity;

  int run() const {
    if (output.empty() && !check && directories.size() > 1) {
      throw Error(ErrorKind::kUsage, "several directories need -o for the one they become");
    }
    for (const std::string& directory : directories) {
      Directory::open(directory);  // throws the reason
      if (manifests_in(directory).empty()) {
        throw Error(ErrorKind::kMissing, quote(directory) + " holds no metadata.jsonl of a batch");
      }
    }
    if (check) {
      const MergeReport report = check_batches(directories, stop_requested);
      log(verbosity,
          fmt::format("{} pictures listed, {} problems", report.pictures, report.problems.size()));
      return print_problems(report);
    }
    const std::string merged = output.empty() ? directories.front() : output;
    const MergeReport report = merge_batches(directories, merged, stop_requested);
    log(verbosity, fmt::format("{} pictures in {}", report.pictures, quote(merged)));
    write_stdout(merged + "/metadata.jsonl\n");
    return print_problems(report);
  }
};

}  // namespace

void add_merge(CLI::App& app, Chosen& chosen) {
  const auto merge = std::make_shared<Merge>();
  CLI::App& command = add_command(app, "merge", "Join what the shards of a batch drew", chosen,
                                  [merge] { return merge->run(); });
  add_operands(command, "DIR", merge->directories, "Directories that batch wrote to");
  add_text(command, "-o,--output", "DIR", merge->output,
           "Directory for all of it; left out: one DIR, joined where it is");
  add_flag(command, "--check", merge->check, "Compare every file with its SHA-256; change nothing");
  merge->verbosity.add_to(command);
}

}  // namespace bifrons::cli
