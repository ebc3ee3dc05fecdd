// Names from outside are compared with what is allowed; nothing is repaired.
#include "src/hub/names.h"

#include <fmt/format.h>

#include <algorithm>

#include "kernels/error.h"
#include "kernels/utf8.h"
#include "src/hub/known_models.h"
#include "src/io/quote.h"
#include "src/io/text.h"

namespace bifrons::hub {
namespace {

bool is_plain(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
         c == '-' || c == '_';
}

bool is_id_part(std::string_view part) {
  constexpr size_t kLongest = 96;
  const auto is_end = [](char c) { return c != '.' && c != '-'; };
  return !part.empty() && part.size() <= kLongest &&
         std::all_of(part.begin(), part.end(), is_plain) && is_end(part.front()) &&
         is_end(part.back()) && part.find("..") == part.npos && part.find("--") == part.npos;
}

// Calls `allowed` for the parts between slashes; false at the first one that is not.
template <typename Allowed>
bool all_parts(std::string_view text, size_t most, const Allowed& allowed) {
  for (size_t count = 1; count <= most; ++count) {
    const size_t slash = text.find('/');
    if (!allowed(text.substr(0, slash))) return false;
    if (slash == text.npos) return true;
    text.remove_prefix(slash + 1);
  }
  return false;
}

bool leads_elsewhere(std::string_view part) {
  return part.empty() || part == "." || part == ".." || part.size() > 255;
}

}  // namespace

bool is_model_id(std::string_view text) {
  const size_t slash = text.find('/');
  return slash != text.npos && is_id_part(text.substr(0, slash)) &&
         is_id_part(text.substr(slash + 1));
}

bool is_hex(std::string_view text, size_t digits) {
  return text.size() == digits && std::all_of(text.begin(), text.end(), [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
         });
}

bool is_commit(std::string_view text) { return is_hex(text, 40); }

bool is_revision(std::string_view text) {
  return text.size() <= 200 && all_parts(text, 8, [](std::string_view part) {
           return !leads_elsewhere(part) && part.front() != '-' && part.find("..") == part.npos &&
                  std::all_of(part.begin(), part.end(),
                              [](char c) { return is_plain(c) || c == '+' || c == '='; });
         });
}

ModelReference parse_reference(const std::string& text) {
  ModelReference reference;
  std::string_view rest = text;
  const auto starts = [&](std::string_view scheme) {
    if (!rest.starts_with(scheme)) return false;
    rest.remove_prefix(scheme.size());
    return true;
  };
  if (starts("ms://")) {
    reference.kind = HubKind::kModelScope;
  } else {
    starts("hf://");
  }
  const size_t at = rest.find('@');
  reference.id = rest.substr(0, at);
  if (at != rest.npos) {
    reference.revision = rest.substr(at + 1);
    if (!is_revision(reference.revision)) {
      throw Error(ErrorKind::kUsage,
                  fmt::format("{} is not a revision; after @ goes a branch, a tag, a commit or "
                              "refs/pr/N",
                              quote(reference.revision, 60)));
    }
  }
  if (const KnownModel* known = known_model(reference.id)) reference.id = known->id;
  if (!is_model_id(reference.id)) {
    throw Error(ErrorKind::kUsage,
                fmt::format("{} is not the name of a model; write owner/name, such as "
                            "deepseek-ai/Janus-Pro-1B, or one of {}",
                            quote(reference.id, 60), known_names()));
  }
  return reference;
}

void check_path(const std::string& path, std::string_view hub) {
  const bool allowed =
      path.size() <= 1000 && !invalid_utf8(path) && !control_character(path) &&
      path.find('\\') == path.npos && path.find('\0') == path.npos &&
      path.find('\t') == path.npos &&
      all_parts(path, 16, [](std::string_view part) { return !leads_elsewhere(part); });
  if (allowed) return;
  throw Error(ErrorKind::kData,
              fmt::format("{} lists a file named {}, which is no path below a directory; nothing "
                          "was downloaded",
                          hub, quote(path, 80)));
}

std::string percent_encoded(std::string_view text, bool keep_slashes) {
  std::string encoded;
  for (const char c : text) {
    if ((is_plain(c) || c == '~') || (keep_slashes && c == '/')) {
      encoded += c;
    } else {
      encoded += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    }
  }
  return encoded;
}

}  // namespace bifrons::hub
