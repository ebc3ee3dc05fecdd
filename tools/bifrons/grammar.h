// Every command and option as CLI11 sees them, bound to plain values.
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "tools/bifrons/arguments.h"

namespace bifrons::cli {

constexpr uint64_t kMostThreads = 1024;

// Everything any command can be given; one of them is chosen at the end.
struct Grammar {
  CLI::App app{"Draws pictures from text with Janus-Pro-style models."};
  bool version = false;
  bool version_verbose = false;
  std::string device;  // of every command with an engine
  int threads = 0;
  bool threads_given = false;
  std::string text;     // the positional of generate
  std::string flagged;  // -p
  std::string shell;
  std::vector<std::string> helped;  // the command that help is about, and one below it
  std::string tokenize_text;
  GenerateArguments generate;
  DecodeArguments decode;
  InfoArguments info;
  InspectArguments inspect;
  TokenizeArguments tokenize;
  DoctorArguments doctor;
  SightArguments sight;
  std::string varied_prompt;
  VaryArguments vary;
  EncodeArguments encode;
  ReconstructArguments reconstruct;
  std::function<int()> chosen;
};

// Throws Error (usage): a text of the command line, called `name` for people, is not UTF-8.
void check_text(std::string_view name, const std::string& text);

// What commands that draw have in common.
void add_best_of_options(CLI::App& command, std::optional<int64_t>& best_of, std::string& question);
void add_verbosity_options(CLI::App& command, Verbosity& verbosity);
// One or more plain arguments, each taken as it is: a plain vector would split "[a, b]".
CLI::Option& add_words(CLI::App& command, const char* name, const char* about,
                       std::vector<std::string>& words);

// Fills `grammar.app`; the options point into `grammar`, which must stay where it is.
void build_grammar(Grammar& grammar);

// Parts of it, for files of their own.
void add_sight_commands(Grammar& grammar);
void add_picture_commands(Grammar& grammar);
// What commands that draw have in common, but for the prompt.
void add_drawing_command_options(CLI::App& command, Grammar& grammar, GenerateArguments& arguments);
void add_machine_options(CLI::App& command, Grammar& grammar, std::string& model);
void add_verbosity_options(CLI::App& command, Verbosity& verbosity);

}  // namespace bifrons::cli
