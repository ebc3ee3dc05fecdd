// The byte-to-character alphabet of byte-level BPE vocabularies.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace bifrons {

// The character for `byte`: the Latin-1 character if it is visible, else the next one from U+0100
// on.
char32_t letter_of_byte(uint8_t byte);

// The bytes of a vocabulary entry (valid UTF-8); nullopt if one of its characters stands for no
// byte.
std::optional<std::string> bytes_of_letters(std::string_view letters);

}  // namespace bifrons
