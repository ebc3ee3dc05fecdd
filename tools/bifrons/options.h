// Declaring options, and the groups of options that several commands share. CLI11 is slow to
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

// The command that the words on the command line name, ready to run. Returns the exit code.
using Chosen = std::function<int()>;

// Adds the command `name` to `app`. `run` becomes `chosen` when the command is given.
CLI::App& add_command(CLI::App& app, const char* name, const char* about, Chosen& chosen,
                      Chosen run);

// Options, one function for each kind of value. `names` are "-o,--output", or one word without
// dashes for an operand. `type` is what the help calls the value. Values are checked while the
// words are parsed, so a refusal names the option.
struct OptionRules {
  bool required = false;
  bool once = false;  // given twice is an error; otherwise the last one counts
  bool each = false;  // may be given several times, and each value is taken
};
using TakeText = std::function<void(const std::string&)>;
void add_value(CLI::App& command, const char* names, const char* type, const TakeText& take,
               const char* about, OptionRules rules = {});
// A text that is not empty before is the default, and the help shows it.
void add_text(CLI::App& command, const char* names, const char* type, std::string& text,
              const char* about, OptionRules rules = {});
void add_operand(CLI::App& command, const char* name, std::string& text, const char* about,
                 OptionRules rules = {.required = true});
// One or more operands, each taken as it is: CLI11 would split "[a, b]" for a plain vector.
void add_operands(CLI::App& command, const char* name, std::vector<std::string>& words,
                  const char* about, OptionRules rules = {.required = true});
void add_flag(CLI::App& command, const char* names, bool& flag, const char* about);
void add_flag(CLI::App& command, const char* names, const std::function<void()>& take,
              const char* about);

// What the help of a command says below its options.
void add_footer(CLI::App& command, const char* text);

// Throws Error (usage): `option` takes what `known` says, not `text`.
[[noreturn]] void refuse_value(const std::string& option, const std::string& known,
                               const std::string& text);

// The name that refusals use: the first one with two dashes.
std::string long_name(std::string_view names);

// A whole number from `least` to `most`; `number` is an int64_t, or an optional one.
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

// One of some words, as a value of an enumeration.
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

// Throws Error (usage): a text of the command line, called `name` for people, is not UTF-8.
void check_text(std::string_view name, const std::string& text);

// Environment variables are read in the command line, never in the library. Empty: not set.
std::string environment(const char* name);

// BIFRONS_PDL: 0 is never, 1 is always, and anything else leaves the choice to the engine
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

// What to open an engine with.
struct EngineSetup {
  EngineOptions options;
  bool built_in = false;  // nobody named a model: the one that comes with the program
};

// Model, device and threads: flags, else BIFRONS_MODEL, BIFRONS_DEVICE and BIFRONS_THREADS, else
// defaults.
struct EngineFlags {
  ModelFlag model;
  std::string device;
  std::optional<int64_t> threads;
  int speculate = 0;  // as in EngineOptions
  // `devices`: --devices, with a list of them in `device`.
  void add_to(CLI::App& command, bool devices = false);
  // Throws Error: usage (BIFRONS_THREADS is no number of threads), missing (no such model).
  EngineSetup setup() const;
};

// Where pictures go and what is said of them.
struct OutputFlags {
  std::string output;  // "": a default name
  bool overwrite = false;
  bool json = false;
  bool metadata = true;
  void add_to(CLI::App& command, const char* about_output = "As for generate",
              const char* about_no_metadata = "Leave out the AI mark");
  // Throws Error (usage): --output - and --json.
  void check() const;
};

// A picture to begin with, or - for stdin.
struct PictureFlags {
  std::string file;
  Orientation orientation = Orientation::kAsStored;
  void add_to(CLI::App& command);
};

// --apply-orientation alone.
void add_orientation(CLI::App& command, Orientation& orientation);

// --batch: pictures drawn side by side; 0 is automatic.
void add_lanes(CLI::App& command, int& lanes);

// --speculate of commands that draw, for EngineOptions.
void add_speculate(CLI::App& command, int& speculate,
                   const char* about =
                       "Speculative decoding: auto (default), off, or at most N codes of a picture "
                       "in one pass; it changes no picture");

}  // namespace bifrons::cli
