// The columns of a manifest. Each column has the same type in every line, for any prompt file.
// Columnar readers need this, such as Arrow, which Hugging Face's `datasets` uses.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "src/bifrons.h"

namespace bifrons {

// Converts a column of a prompt file to a JSON string: a string stays as it is, and any other value
// becomes the text of its JSON. The rule does not depend on other lines, so the type is always the
// same.
std::string column_value(std::string_view json);

// The name of the column. The imagefolder loader finds pictures by `image`, `file_names` and names
// that end in _file_name or _file_names. They become `original_image`, `original_file_names_`,
// `original_x_file_name_`. A NUL would end a name in that loader, so it becomes U+FFFD.
std::string column_name(std::string_view name);

// Members of a line without braces, each with a comma before it: the columns of a prompt file whose
// names the manifest does not use itself. If two columns have one name, the last one is written.
std::string column_members(const std::vector<std::pair<std::string, std::string>>& extras);

// A real number in a form that no reader takes for an integer: 5.0.
std::string real_json(double value);

// "name":7. From 2^63 on, beyond Arrow's integers, "large_name":"18446744073709551615".
std::string seed_member(std::string_view name, uint64_t seed);

// The settings that are numbers, each with a comma before it: ,"seed":7,"cfg":5.0
std::string number_members(const DrawRequest& request);

// The member `best_of` of a line, from choice_json() or from a line of an earlier version.
std::string best_of_json(std::string_view choice);

// Converts the members of a line of an earlier version to the form of this one. `body` is
// {"file_name":...,"text":... without checksum and closing brace. A body of another form stays
// unchanged.
std::string todays_body(std::string_view body);

}  // namespace bifrons
