// `bifrons batch` and the commands around it: merge, gallery and grid.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "src/store/store.h"
#include "tools/bifrons/arguments.h"

namespace CLI {
class App;
}

namespace bifrons::cli {

enum class ProgressKind { kAuto, kBar, kLine, kNone };

struct BatchArguments {
  Verbosity verbosity;
  Settings settings;               // what flags said; prompt is not used
  std::vector<std::string> files;  // and folders; "-" is stdin
  std::string format;
  bool comments = false;  // lines that begin with # or // are left out
  std::string output;
  int64_t count = 1;
  int lanes = 0;  // 0: automatic
  bool expand = false;
  bool combinatorial = false;
  std::string wildcards = "wildcards";
  bool strict = false;
  bool dry_run = false;
  Resume resume = Resume::kTrust;
  bool overwrite = false;
  std::string name;  // pattern of the pictures' names
  bool grid = false;
  bool grid_per_prompt = false;
  bool gallery = false;
  PictureFormat save_as = PictureFormat::kPng;
  bool metadata = true;
  std::optional<int64_t> best_of;  // candidates for each picture
  std::string match_question;      // "": the model's own
  bool jsonl = false;
  ProgressKind progress = ProgressKind::kAuto;
  std::string shard;
  std::string model;
  std::string devices;  // comma-separated
  int threads = 0;
};

struct MergeArguments {
  Verbosity verbosity;
  std::vector<std::string> directories;
  std::string output;
  bool check = false;
};

struct GalleryArguments {
  Verbosity verbosity;
  std::string directory;
};

struct GridArguments {
  Verbosity verbosity;
  Settings settings;
  std::string prompt;
  std::string x, y;  // axes, such as cfg=3,5,7
  std::string output;
  bool overwrite = false;
  std::string font;
  int lanes = 0;
  std::string model;
  std::string device;
  int threads = 0;
};

int run(BatchArguments arguments);
int run(const MergeArguments& arguments);
int run(const GalleryArguments& arguments);
int run(GridArguments arguments);

// Adds the commands to `app`; when one is given, `chosen` becomes what to run.
void add_batch_commands(CLI::App& app, std::function<int()>& chosen);

}  // namespace bifrons::cli
