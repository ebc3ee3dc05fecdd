// Which command mends a model directory.
#pragma once

#include <string>
#include <vector>

namespace bifrons::cli {

// The command that downloads the files of a model directory again, ready for a shell. `damaged`:
// names of files whose content is wrong; in the hub's cache they have to go first, because clients
// take a blob that is there for whole.
std::string mend_command(const std::string& directory, const std::vector<std::string>& damaged);

}  // namespace bifrons::cli
