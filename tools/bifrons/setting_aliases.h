// Options of other programs that mean what ours do: hidden from the help, and taken all the same.
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>

namespace bifrons::cli {

// For each setting that `command` has an option for: the other names of it (setting_names.h), words
// joined by hyphens, underscores or nothing. A value goes to our option, as if it had stood there;
// two names for one setting in a call throw Error (usage).
void add_setting_aliases(CLI::App& command);

// Names for --count, which `command` has; also a size of batches and their number, whose product
// becomes `count`, at most `most`.
void add_count_aliases(CLI::App& command, int64_t& count, int64_t most);

// The same where pictures side by side are another thing than pictures of a prompt: a size of
// batches could be either, so it throws Error (usage) that names both.
void add_count_aliases_of_batch(CLI::App& command);

}  // namespace bifrons::cli
