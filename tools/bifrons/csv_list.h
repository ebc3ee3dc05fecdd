// Values separated by commas in one option.
#pragma once

#include <string>
#include <vector>

namespace bifrons::cli {

// CSV rules: a value that begins with a double quote ends at the next double quote that is not
// doubled, and may contain commas. Any other value is used unchanged, with its blanks. Throws Error
// (usage) if a quote is not closed or is followed by other characters.
std::vector<std::string> split_csv(const std::string& text);

}  // namespace bifrons::cli
