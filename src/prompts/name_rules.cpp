// One rule for all of them: ids, names that lines ask for, and those that a manifest lists.
#include "src/prompts/name_rules.h"

#include <fmt/format.h>

#include <algorithm>

#include "kernels/error.h"
#include "kernels/utf8.h"
#include "src/io/letters.h"
#include "src/io/quote.h"

namespace bifrons {
namespace {

constexpr std::string_view kForbidden = "/\\:*?\"<>|!";
constexpr std::string_view kNoBeginning = " .-~";

bool is_control(char32_t c) { return c < 0x20 || (c >= 0x7f && c <= 0x9f); }

// What changes the order or the visibility of the text around it, and line ends.
bool is_unseen(char32_t c) {
  return letter_kind(c) == LetterKind::kInvisible || c == 0x2028 || c == 0x2029 ||
         (c >= 0xfff9 && c <= 0xfffb);
}

bool is_blank(char32_t c) {
  return c == ' ' || c == 0xa0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200a) || c == 0x202f ||
         c == 0x205f || c == 0x3000;
}

bool is_device(std::string_view part) {
  std::string stem = fold_case(part.substr(0, part.find('.')));
  stem.resize(stem.find_last_not_of(' ') + 1);
  for (const char* device : {"con", "prn", "aux", "nul", "conin$", "conout$"}) {
    if (stem == device) return true;
  }
  if (!stem.starts_with("com") && !stem.starts_with("lpt")) return false;
  const std::string_view number = std::string_view(stem).substr(3);
  const bool digit = number.size() == 1 && number[0] >= '0' && number[0] <= '9';
  return digit || number == "¹" || number == "²" || number == "³";
}

// Why no name holds this character; empty when one may.
std::string fault_of_point(char32_t point) {
  if (is_control(point)) {
    return fmt::format("holds the control character 0x{:02x}", static_cast<uint32_t>(point));
  }
  if (point < 0x80 && kForbidden.find(static_cast<char>(point)) != kForbidden.npos) {
    return fmt::format("holds {}, and none of {} can be in a name", static_cast<char>(point),
                       kForbidden);
  }
  if (is_unseen(point)) {
    return fmt::format("holds U+{:04X}, which cannot be seen", static_cast<uint32_t>(point));
  }
  return {};
}

}  // namespace

std::string fault_of_name(std::string_view part, size_t longest) {
  if (part.empty()) return "is empty";
  if (part == "." || part == "..") return "leads to another directory";
  if (part.size() > longest) return fmt::format("is longer than {} bytes", longest);
  char32_t last = 0;
  for (std::string_view rest = part; !rest.empty();) {
    const Utf8Front next = decode_utf8(rest);
    if (!next.valid) return "is not UTF-8";
    if (std::string fault = fault_of_point(next.point); !fault.empty()) return fault;
    const bool first = rest.size() == part.size();
    if (first && (is_blank(next.point) || letter_kind(next.point) == LetterKind::kMark ||
                  (next.point < 0x80 &&
                   kNoBeginning.find(static_cast<char>(next.point)) != kNoBeginning.npos))) {
      return "begins with a blank, dot, hyphen, tilde or combining mark";
    }
    last = next.point;
    rest.remove_prefix(next.bytes);
  }
  if (last == '.' || is_blank(last)) return "ends in a dot or blank";
  return is_device(part) ? "is the name of a device on Windows" : "";
}

std::string fault_of_path(std::string_view path) {
  constexpr int kDeepest = 4;
  if (path.empty()) return "is empty";
  if (path.starts_with('/')) return "is not relative to the directory of the batch";
  std::string_view rest = path;
  for (int depth = 1; depth <= kDeepest; ++depth) {
    const size_t slash = rest.find('/');
    const std::string_view part = rest.substr(0, slash);
    if (std::string fault = fault_of_name(part); !fault.empty()) {
      return part.empty() ? "has an empty part" : fault;
    }
    if (slash == std::string_view::npos) return {};
    rest = rest.substr(slash + 1);
  }
  return fmt::format("is more than {} deep", kDeepest);
}

std::string harmless_value(std::string_view value, bool begins, bool ends) {
  std::string out;
  while (!value.empty()) {
    const Utf8Front next = decode_utf8(value);
    value.remove_prefix(next.step());
    if (next.valid && is_unseen(next.point)) continue;
    if (!next.valid || !fault_of_point(next.point).empty()) {
      out += '-';
    } else {
      append_utf8(out, next.point);
    }
  }
  if (begins) out.erase(0, std::min(out.find_first_not_of(kNoBeginning), out.size()));
  if (ends) out.resize(out.find_last_not_of(" .") + 1);
  return out;
}

void check_id(std::string_view id) {
  const std::string fault = fault_of_name(id, 100);
  if (!fault.empty()) {
    throw Error(ErrorKind::kData, quote(id, 60) + " cannot be an id or file name: it " + fault);
  }
}

}  // namespace bifrons
