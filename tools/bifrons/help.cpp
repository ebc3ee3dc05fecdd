// `bifrons help`: prints the same text as --help of a command, or its manual page.
#include "tools/bifrons/help.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <memory>

#include "src/io/quote.h"
#include "src/io/text.h"
#include "tools/bifrons/man_page.h"
#include "tools/bifrons/options.h"
#include "tools/bifrons/streams.h"

namespace bifrons::cli {
namespace {

struct Asked {
  std::vector<std::string> words;
  bool man = false;
};

// `bifrons help`: for the program, a command, or a command below it.
int print_help(const CLI::App& app, const Asked& asked) {
  const CLI::App* about = &app;
  for (const std::string& word : asked.words) {
    const auto below =
        about->get_subcommands([&](const CLI::App* each) { return each->get_name() == word; });
    if (below.empty()) {
      const std::string_view meant = nearest_command(*about, word);
      throw Error(ErrorKind::kUsage,
                  "no help about " + quote(word, 60) + ", which is no command" +
                      (meant.empty() ? "; bifrons help lists them"
                                     : fmt::format("; did you mean '{}'?", meant)));
    }
    about = below.front();
  }
  write_stdout(asked.man ? man_page_of(*about) : help_of(*about));
  return 0;
}

}  // namespace

std::vector<std::string_view> command_names(const CLI::App& app) {
  std::vector<std::string_view> names;
  for (const CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; })) {
    names.emplace_back(command->get_name());
  }
  return names;
}

std::string_view nearest_command(const CLI::App& app, const std::string& word) {
  const std::vector<std::string_view> names = command_names(app);
  return nearest(lower_case(word), names);
}

// CLI11 shows the help of the given command instead of that of the whole program.
std::string help_of(const CLI::App& about) {
  std::string name = about.get_name();
  for (const CLI::App* above = about.get_parent(); above != nullptr; above = above->get_parent()) {
    name = above->get_name() + " " + name;
  }
  return about.get_formatter()->make_help(&about, name, CLI::AppFormatMode::Normal);
}

void add_help(CLI::App& app, Chosen& chosen) {
  const auto asked = std::make_shared<Asked>();
  CLI::App& command = add_command(app, "help", "Say what a command takes, as its --help does",
                                  chosen, [&app, asked] { return print_help(app, *asked); });
  add_operands(command, "COMMAND", asked->words, "The command; left out: all of them", {});
  add_flag(command, "--man", asked->man, "Print a manual page instead, for man -l -");
}

}  // namespace bifrons::cli
