// What a file is that stands where another was expected, told by how it begins.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace bifrons {

// So many bytes of a file are enough to tell.
inline constexpr size_t kTellingBytes = 512;

// For a file that begins with `front` and is not what it should be, which is `wanted` ("weights",
// "JSON"): a clause to follow its name, with what to do. Nothing when it is not known.
std::optional<std::string> other_kind_of_file(std::string_view front, std::string_view wanted);

}  // namespace bifrons
