// `bifrons batch`: its options, and their values for the library.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "src/batch/picture_job.h"
#include "src/store/store.h"
#include "tools/bifrons/best_of.h"
#include "tools/bifrons/edit_flags.h"
#include "tools/bifrons/options.h"
#include "tools/bifrons/settings.h"
#include "tools/bifrons/think_flags.h"

namespace bifrons::cli {

enum class ProgressKind { kAuto, kBar, kLine, kNone };

struct BatchArguments {
  std::vector<std::string> files;  // files and folders; - is stdin
  std::string format;
  bool comments = false;  // leave out lines that begin with # or //
  bool strict = false;
  bool dry_run = false;
  bool expand = false;
  bool combinatorial = false;
  std::string wildcards = "wildcards";
  int64_t count = 1;

  std::string output;
  std::string name;  // pattern for the names of pictures
  Resume resume = Resume::kTrust;
  bool overwrite = false;
  PictureFormat save_as = PictureFormat::kPng;
  bool metadata = true;
  bool grid = false;
  bool grid_per_prompt = false;
  bool gallery = false;
  bool jsonl = false;
  ProgressKind progress = ProgressKind::kAuto;

  Settings settings;  // from options; the prompt is not used
  BestOf best_of;
  ThinkFlags think;
  bool think_only = false;
  EditFlags edit;  // of lines that change a picture and do not say
  int lanes = 0;   // 0: automatic
  std::string shard;
  EngineFlags engine;  // device: a list separated by commas
  Verbosity verbosity;
};

// All members except the functions, which need a directory or an engine.
JobOptions job_options(const BatchArguments& arguments);

// The names in --devices. Throws Error (usage) if one of them is empty.
std::vector<std::string> device_list(const std::string& text);

// Draws (batch_runner.cpp). Returns the exit code.
int run_batch(const BatchArguments& arguments);

}  // namespace bifrons::cli
