// Options of other programs with the same meaning as ours. They are accepted, but the help does not
// show them.
#pragma once

#include <cstdint>
#include <string>

namespace CLI {
class App;
class Option;
}  // namespace CLI

namespace bifrons::cli {

// For each setting that `command` has an option for, adds its other names (setting_names.h), with
// words joined by hyphens, underscores or nothing. The value goes to our option. Two names of one
// setting in one call throw Error (usage).
void add_setting_aliases(CLI::App& command);

// Adds other names of --count. Also adds batch size and number of batches, whose product becomes
// `count`, at most `most`.
void add_count_aliases(CLI::App& command, int64_t& count, int64_t most);

// The same for `batch`. There a batch size could mean --count or --batch, so it throws Error
// (usage) that names both.
void add_count_aliases_of_batch(CLI::App& command);

// Whether `option` of `command` is the option of a setting or --count, or another name of one that
// the functions above added.
bool is_setting_option(const CLI::App& command, const CLI::Option& option);

// Throws Error (usage): the options `a` and `b` set the same.
[[noreturn]] void refuse_two_names(const std::string& a, const std::string& b);

}  // namespace bifrons::cli
