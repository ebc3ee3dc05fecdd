// Each option's line is the one of --help. The page of the program adds the exit codes.
#include "tools/bifrons/man_page.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cctype>
#include <string_view>
#include <utility>
#include <vector>

#include "src/bifrons.h"

namespace bifrons::cli {
namespace {

constexpr std::pair<int, const char*> kExitCodes[] = {
    {0, "done"},
    {1, "failed"},
    {2, "a wrong option or value"},
    {3, "done, but for some lines of a batch or some pictures to describe"},
    {65, "bad data in a file"},
    {66, "no such input or model"},
    {69, "no such device, not enough memory, or no network for `bifrons pull`"},
    {73, "cannot write"},
    {75, "interrupted; run the same command again to go on"},
    {77, "`bifrons pull`: the hub does not give this model to you"},
    {130, "interrupted twice"},
};

// Text of a page: characters that roff interprets are escaped, and line ends are kept.
std::string escaped(std::string_view text) {
  std::string out;
  bool line_start = true;
  for (const char c : text) {
    if (c == '\n') {
      out += "\n.br\n";
      line_start = true;
      continue;
    }
    if (line_start && (c == '.' || c == '\'')) out += "\\&";  // would be a request of roff
    line_start = false;
    if (c == '\\') {
      out += "\\e";
    } else if (c == '-') {
      out += "\\-";  // a hyphen otherwise, which a search for an option does not find
    } else if (c == '\'') {
      out += "\\(aq";
    } else {
      out += c;
    }
  }
  return out;
}

// "bifrons bench batch" for the command `batch` below `bench`, with `between` between the words.
std::string full_name(const CLI::App& about, std::string_view between) {
  std::string name = about.get_name();
  for (const CLI::App* above = about.get_parent(); above != nullptr; above = above->get_parent()) {
    name = above->get_name() + std::string(between) + name;
  }
  return name;
}

// A paragraph with a hanging tag. `tag` is roff, `text` is plain.
std::string tagged(const std::string& tag, std::string_view text) {
  return ".TP\n" + tag + "\n" + escaped(text) + "\n";
}

// The names of an option in bold, and the type of its value in italics.
std::string tag_of(const CLI::Option& option) {
  std::string names;
  const auto add = [&](const std::string& name) {
    names += (names.empty() ? "\\fB" : "\\fR, \\fB") + escaped(name);
  };
  for (const std::string& name : option.get_snames()) add("-" + name);
  for (const std::string& name : option.get_lnames()) add("--" + name);
  if (option.get_positional()) add(option.get_name(true));
  names += "\\fR";
  if (option.get_items_expected_max() == 0 || option.get_positional()) return names;
  return names + " \\fI" + escaped(option.get_type_name()) + "\\fR";
}

// The options, or else the operands, as one section; empty without any.
std::string options_section(const CLI::App& about, bool operands) {
  std::string section;
  for (const CLI::Option* option : about.get_options()) {
    if (option->get_group().empty() || option->get_positional() != operands) continue;
    section += tagged(tag_of(*option), option->get_description());
  }
  if (section.empty()) return section;
  return (operands ? ".SH ARGUMENTS\n" : ".SH OPTIONS\n") + section;
}

std::string commands_section(const CLI::App& about) {
  std::string section;
  for (const CLI::App* command : about.get_subcommands([](const CLI::App*) { return true; })) {
    section +=
        tagged("\\fB" + escaped(full_name(*command, "-")) + "\\fR(1)", command->get_description());
  }
  return section.empty() ? section : ".SH COMMANDS\n" + section;
}

// What the help calls "Usage: ...", without its first word and the program's name.
std::string synopsis_of(const CLI::App& about) {
  std::string words;
  if (!about.get_options().empty()) words += " [OPTIONS]";
  for (const CLI::Option* option : about.get_options()) {
    if (!option->get_positional()) continue;
    const std::string name =
        option->get_name(true) + (option->get_items_expected_max() > 1 ? "..." : "");
    words += option->get_required() ? " " + name : " [" + name + "]";
  }
  if (!about.get_subcommands([](const CLI::App*) { return true; }).empty()) words += " [COMMAND]";
  return words;
}

std::string exit_section() {
  std::string section = ".SH EXIT STATUS\n";
  for (const auto& [code, meaning] : kExitCodes) {
    section += tagged(fmt::format("\\fB{}\\fR", code), meaning);
  }
  return section;
}

}  // namespace

std::string man_page_of(const CLI::App& about) {
  const std::string name = full_name(about, "-");
  std::string title = name;
  std::transform(title.begin(), title.end(), title.begin(),
                 [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
  std::string page = fmt::format(
      ".TH {} 1 \"\" \"Bifrons {}\" \"Bifrons manual\"\n.SH NAME\n{} \\- {}\n"
      ".SH SYNOPSIS\n\\fB{}\\fR{}\n",
      escaped(title), build_info().version, escaped(name), escaped(about.get_description()),
      escaped(full_name(about, " ")), escaped(synopsis_of(about)));
  const CLI::App* above = about.get_parent();
  const std::string footer = about.get_footer();
  const bool own_footer = above == nullptr || footer != above->get_footer();  // it is inherited
  if (!footer.empty() && own_footer) page += ".SH DESCRIPTION\n" + escaped(footer) + "\n";
  page += options_section(about, true) + options_section(about, false) + commands_section(about);
  if (above == nullptr) return page + exit_section();
  return page + ".SH SEE ALSO\n\\fB" + escaped(full_name(*above, "-")) + "\\fR(1)\n";
}

}  // namespace bifrons::cli
