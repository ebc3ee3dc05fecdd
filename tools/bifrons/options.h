// Declares options, and the groups of options that several commands share. CLI11 is slow to
// compile, so this header does not include it.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "src/bifrons.h"
#include "src/io/text.h"
#include "vision/pictures/picture_read.h"

namespace CLI {
class App;
}

namespace bifrons::cli {

// The command that the command line names, ready to run. Returns the exit code.
using Chosen = std::function<int()>;

// Adds the command `name` to `app`. `run` becomes `chosen` when the command is given.
CLI::App& add_command(CLI::App& app, const char* name, const char* about, Chosen& chosen,
                      Chosen run);

// Options, with one function for each kind of value. `names` are "-o,--output", or one word without
// dashes for an operand. `type` is the name of the value in the help. Values are checked during
// parsing, so an error names the option.
struct OptionRules {
  bool required = false;
  bool once = false;  // a second use is an error; otherwise the last one counts
  bool each = false;  // can be repeated, and all values are used
};
using TakeText = std::function<void(const std::string&)>;
void add_value(CLI::App& command, const char* names, const char* type, const TakeText& take,
               const char* about, OptionRules rules = {});
// A text that is not empty at the call is the default. The help shows it.
void add_text(CLI::App& command, const char* names, const char* type, std::string& text,
              const char* about, OptionRules rules = {});
void add_operand(CLI::App& command, const char* name, std::string& text, const char* about,
                 OptionRules rules = {.required = true});
// One or more operands, each used unchanged. With a plain vector, CLI11 would split "[a, b]".
void add_operands(CLI::App& command, const char* name, std::vector<std::string>& words,
                  const char* about, OptionRules rules = {.required = true});
void add_flag(CLI::App& command, const char* names, bool& flag, const char* about);
void add_flag(CLI::App& command, const char* names, const std::function<void()>& take,
              const char* about);

// Text below the options in the help of a command.
void add_footer(CLI::App& command, const char* text);

// Throws Error (usage): `option` takes the values that `known` names, not `text`.
[[noreturn]] void refuse_value(const std::string& option, const std::string& known,
                               const std::string& text);

// The name for messages: the first one with two dashes.
std::string long_name(std::string_view names);

// An integer from `least` to `most`. `number` is an int64_t or an optional one.
template <typename Number>
void add_whole(CLI::App& command, const char* names, const char* type, uint64_t least,
               uint64_t most, Number& number, const char* about) {
  add_value(
      command, names, type,
      [&number, name = long_name(names), least, most](const std::string& text) {
        number = static_cast<int64_t>(parse_whole(name, text, least, most));
      },
      about);
}

// One word of a list, converted to a value of an enumeration.
template <typename T>
void add_choice(CLI::App& command, const char* names, std::vector<std::pair<const char*, T>> words,
                T& value, const char* about) {
  add_value(
      command, names, "NAME",
      [&value, name = long_name(names), words = std::move(words)](const std::string& text) {
        std::string known;
        for (const auto& [word, meaning] : words) {
          if (text == word) {
            value = meaning;
            return;
          }
          known += (known.empty() ? "" : ", ") + std::string(word);
        }
        refuse_value(name, known, text);
      },
      about);
}

// Throws Error (usage) if a text of the command line is not UTF-8. Messages call it `name`.
void check_text(std::string_view name, const std::string& text);

// Environment variables are read only in the command line, never in the library. Empty: not set.
std::string environment(const char* name);

// The format named `text`. Throws Error (usage), which calls it `option`.
WeightFormat weight_format(const std::string& option, const std::string& text);

// BIFRONS_PDL: 0 means never, 1 means always, and any other value leaves the choice to the engine
// (EngineOptions::pdl).
std::optional<bool> pdl_from_environment();

struct Verbosity {
  bool quiet = false;
  bool verbose = false;
  void add_to(CLI::App& command);
};

// The model directory: --model, else BIFRONS_MODEL, else "" for the built-in model.
struct ModelFlag {
  std::string given;
  void add_to(CLI::App& command, const char* about);
  std::string value() const;
};

// The options for opening an engine.
struct EngineSetup {
  EngineOptions options;
  bool built_in = false;  // no model was named: the one that comes with the program
};

// Model, device, threads, weights, KV cache and memory: from flags, otherwise from BIFRONS_MODEL,
// BIFRONS_DEVICE, BIFRONS_THREADS, BIFRONS_WEIGHTS, BIFRONS_KV and BIFRONS_MAX_MEMORY, otherwise
// defaults.
struct EngineFlags {
  ModelFlag model;
  std::string device;
  std::optional<int64_t> threads;
  int speculate = 0;  // see EngineOptions
  std::optional<WeightFormat> weights{};
  std::optional<KvFormat> kv{};
  int64_t max_memory = 0;  // bytes; 0: no limit
  // `devices`: adds --devices, whose list is stored in `device`.
  void add_to(CLI::App& command, bool devices = false);
  // Throws Error: usage (a variable has no valid value), missing (no such model).
  EngineSetup setup() const;
};

// The output path of pictures, and the reports about them.
struct OutputFlags {
  std::string output;  // empty: a default name
  bool overwrite = false;
  bool json = false;
  bool metadata = true;
  void add_to(CLI::App& command, const char* about_output = "As for generate",
              const char* about_no_metadata = "Leave out the AI mark");
  // Throws Error (usage) for --output - together with --json.
  void check() const;
};

// The input picture, or - for stdin.
struct PictureFlags {
  std::string file;
  Orientation orientation = Orientation::kAsStored;
  void add_to(CLI::App& command);
};

// Adds only --apply-orientation.
void add_orientation(CLI::App& command, Orientation& orientation);

// --batch: number of pictures that are drawn together; 0 is automatic.
void add_lanes(CLI::App& command, int& lanes);

// --kv; see EngineOptions.
void add_kv(CLI::App& command, std::optional<KvFormat>& kv, const char* about);

// --speculate for commands that draw; see EngineOptions.
void add_speculate(CLI::App& command, int& speculate,
                   const char* about =
                       "Speculative decoding: auto (default), off, or at most N codes of a picture "
                       "in one pass; it changes no picture");

}  // namespace bifrons::cli
