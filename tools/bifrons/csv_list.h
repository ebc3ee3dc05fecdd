// Values with commas between them in one option.
#pragma once

#include <string>
#include <vector>

namespace bifrons::cli {

// As CSV has them: a value that begins with a double quote ends at the next one that is not
// doubled, whatever stands between. Anything else is taken as it stands, blanks and all. Throws
// Error (usage): a quote that is not closed or has something behind it.
std::vector<std::string> split_csv(const std::string& text);

}  // namespace bifrons::cli
