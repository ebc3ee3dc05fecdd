// Options of other programs with the meaning of ours: hidden from the help, but accepted.
#pragma once

#include <cstdint>

namespace CLI {
class App;
}  // namespace CLI

namespace bifrons::cli {

// Adds, for each setting that `command` has an option for, its other names (setting_names.h), with
// words joined by hyphens, underscores or nothing. The value goes to our option. Two names for one
// setting in a call throw Error (usage).
void add_setting_aliases(CLI::App& command);

// Adds other names of --count; also a size of batches and their number, whose product becomes
// `count`, at most `most`.
void add_count_aliases(CLI::App& command, int64_t& count, int64_t most);

// The same for `batch`, where a size of batches could mean --count or --batch: it throws Error
// (usage) that names both.
void add_count_aliases_of_batch(CLI::App& command);

}  // namespace bifrons::cli
