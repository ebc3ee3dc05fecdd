// The columns of a manifest: every one has the same type in every line, whatever prompt files bring
// along, so that column stores such as Arrow, which Hugging Face's `datasets` reads with, take it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "src/bifrons.h"

namespace bifrons {

// A column that a prompt file brings along, as a JSON string: a string stays as it is, every other
// value becomes the text of its JSON. The rule looks at one value alone, so types cannot differ.
std::string column_value(std::string_view json);

// Under what name it stands there: `image`, `file_names` and what ends in _file_name or
// _file_names, by which the imagefolder loader finds pictures, become `original_image`,
// `original_file_names_`, `original_x_file_name_`; a NUL, which ends a name there, becomes U+FFFD.
std::string column_name(std::string_view name);

// Members of a line without braces, each with a comma before it: what a prompt file brings along
// but for names that the manifest has itself. Of two columns of one name the last one stays.
std::string column_members(const std::vector<std::pair<std::string, std::string>>& extras);

// A real number that is never taken for an integer: 5.0.
std::string real_json(double value);

// "name":7, or "large_name":"18446744073709551615" from 2^63 on, where Arrow's integers end.
std::string seed_member(std::string_view name, uint64_t seed);

// The settings that are numbers, each with a comma before it: ,"seed":7,"cfg":5.0
std::string number_members(const DrawRequest& request);

// The member `best_of` of a line, of what choice_json() gives or an earlier version wrote.
std::string best_of_json(std::string_view choice);

// The members of a line of an earlier version, or of this one, as this version writes them; `body`
// is {"file_name":...,"text":... without checksum and closing brace. A body of another form stays
// as it is.
std::string todays_body(std::string_view body);

}  // namespace bifrons
