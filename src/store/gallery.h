// An HTML page with the pictures of a batch.
#pragma once

#include <cstdint>
#include <string>

namespace bifrons {

// Writes <directory>/index.html: every listed picture with its settings, a search, and the command
// that draws it again. The page needs only the pictures in the directory. Returns the number of
// pictures. Throws Error: missing (no manifest), cannot write (an index.html of another program
// exists).
int64_t write_gallery(const std::string& directory);

// Throws Error (cannot write): an index.html of another program exists.
void check_gallery_place(const std::string& directory);

}  // namespace bifrons
