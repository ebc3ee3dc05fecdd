// A page to look at what a batch drew.
#pragma once

#include <cstdint>
#include <string>

namespace bifrons {

// Writes <directory>/index.html: every listed picture with its settings, a search, and the command
// that draws it again. The page needs nothing but the pictures beside it. Returns how many. Throws
// Error: missing (no manifest there), cannot write (an index.html that is not from here).
int64_t write_gallery(const std::string& directory);

// Throws Error (cannot write) when an index.html is there that is not from here.
void check_gallery_place(const std::string& directory);

}  // namespace bifrons
