// The printable characters that byte-level vocabularies write bytes with.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace bifrons {

// The character that stands for `byte`: itself where Latin-1 shows one, else U+0100 and up, in
// order.
char32_t letter_of_byte(uint8_t byte);

// The bytes a vocabulary entry (valid UTF-8) stands for; nothing if a character of it is no byte's.
std::optional<std::string> bytes_of_letters(std::string_view letters);

}  // namespace bifrons
