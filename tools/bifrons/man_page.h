// Manual pages, made of the options that CLI11 knows.
#pragma once

#include <string>

namespace CLI {
class App;
}

namespace bifrons::cli {

// The manual page of the whole program or of a command, in the roff language of man(7), section 1.
std::string man_page_of(const CLI::App& about);

}  // namespace bifrons::cli
