// Shared by `generate` and `vary`: drawing, and all options except the operand for the prompt.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "tools/bifrons/best_of.h"
#include "tools/bifrons/options.h"
#include "tools/bifrons/reflect_flags.h"
#include "tools/bifrons/settings.h"
#include "tools/bifrons/think_flags.h"

namespace bifrons::cli {

struct Generate {
  std::optional<std::string> prompt;  // - is stdin
  Settings settings;                  // from options, without the prompt
  int64_t count = 1;
  OutputFlags output;
  BestOf best_of;
  ThinkFlags think;
  bool think_only = false;
  std::string show_plan;      // empty: none
  ReflectFlags reflect;       // only of generate
  std::string edited;         // JSON about the picture that `edit` changes; empty: another command
  PlannedPictures planned{};  // without thoughts
  bool grid = false;
  std::string like;
  std::string tokens_out;
  EngineFlags engine;
  Verbosity verbosity;
  std::optional<int64_t> width, height;

  // All but -p, for which each command has its own help text.
  void add_to(CLI::App& command);

  // Throws Error (usage) if options contradict each other.
  void check() const;

  // `prepare` completes the requests after the engine is open; `complete` are the settings with
  // those of --like. Without it they are already complete. Returns the exit code.
  using Prepare = std::function<void(Engine& engine, std::vector<DrawRequest>& requests,
                                     const Settings& complete)>;
  int run(const Prepare& prepare = {}) const;
};

// Takes a prompt given on the command line into `prompt`.
void add_prompt(CLI::App& command, const char* names, std::optional<std::string>& prompt,
                const char* about);

}  // namespace bifrons::cli
