// Plain fonts with wide coverage are tried first. Files are read only until all characters are
// found.
#include "tools/bifrons/fonts.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <new>
#include <set>
#include <system_error>

#include "kernels/error.h"
#include "src/io/quote.h"
#include "src/io/text.h"
#include "tools/bifrons/session.h"
#include "tools/bifrons/streams.h"
#include "vision/pictures/font_face.h"

namespace bifrons::cli {
namespace {

namespace fs = std::filesystem;

constexpr std::array<std::string_view, 6> kPreferred = {
    "DejaVuSans.ttf",          "NotoSans-Regular.ttf", "LiberationSans-Regular.ttf",
    "NotoSansCJK-Regular.ttc", "FreeSans.ttf",         "DroidSansFallbackFull.ttf"};

constexpr int64_t kTrialSize = 40;  // the largest size of captions

std::vector<uint8_t> read_bytes(const std::string& path) {
  const std::string content = read_file(path, kLongestFile);
  return {content.begin(), content.end()};
}

// Fonts with lower values are tried earlier. Bold, slanted and narrow ones come last.
size_t rank(const fs::path& path) {
  const std::string name = path.filename().string();
  const auto at = std::find(kPreferred.begin(), kPreferred.end(), name);
  if (at != kPreferred.end()) return static_cast<size_t>(at - kPreferred.begin());
  const bool plain = name.find("Bold") == name.npos && name.find("Italic") == name.npos &&
                     name.find("Oblique") == name.npos && name.find("Condensed") == name.npos;
  return kPreferred.size() + (plain ? 0 : 1);
}

std::vector<fs::path> font_files(const std::string& home) {
  std::vector<fs::path> found;
  std::vector<fs::path> places = {"/usr/share/fonts", "/usr/local/share/fonts"};
  if (!home.empty()) {
    places.push_back(fs::path(home) / ".local/share/fonts");
    places.push_back(fs::path(home) / ".fonts");
  }
  for (const fs::path& place : places) {
    std::error_code error;
    for (fs::recursive_directory_iterator
             at(place, fs::directory_options::skip_permission_denied, error),
         end;
         !error && at != end; at.increment(error)) {
      const std::string ending = lower_case(at->path().extension().string());
      if (ending == ".ttf" || ending == ".otf" || ending == ".ttc") found.push_back(at->path());
    }
    // Anything else means that the place has no fonts for this user.
    if (error == std::errc::not_enough_memory) throw std::bad_alloc();
  }
  std::sort(found.begin(), found.end(), [](const fs::path& a, const fs::path& b) {
    return std::pair(rank(a), a) < std::pair(rank(b), b);
  });
  return found;
}

// The visible characters of the texts as UTF-8, each once.
std::set<std::string> signs_of(const std::vector<std::string>& texts) {
  std::set<std::string> signs;
  for (const std::string& text : texts) {
    for (size_t i = 0; i < text.size();) {
      size_t end = i + 1;
      while (end < text.size() && (text[end] & 0xc0) == 0x80) ++end;
      const std::string sign = text.substr(i, end - i);
      if (sign != "\n" && sign != "\t") signs.insert(sign);
      i = end;
    }
  }
  return signs;
}

// One of the characters that no font has; empty if there is none.
std::string uncovered(const Typesetter& typesetter, const std::vector<std::string>& texts) {
  for (const std::string& sign : signs_of(texts)) {
    if (!typesetter.covers(sign)) return sign;
  }
  return {};
}

// Throws Error (data) if a font is damaged at a glyph of these texts.
void try_out(const Typesetter& typesetter, const std::vector<std::string>& texts) {
  for (const std::string& text : texts) typesetter.try_out(text, kTrialSize);
}

// An unusable named font is an error, so that captions never silently use another font.
void add_named_font(Typesetter& typesetter, const std::string& font,
                    const std::vector<std::string>& texts) {
  const std::string name = quote(font);
  if (!typesetter.add_font(read_bytes(font), name)) {
    throw Error(ErrorKind::kData, name + " is damaged or no " + std::string(drawable_fonts()) +
                                      "; give another font");
  }
  const std::set<std::string> signs = signs_of(texts);
  if (std::none_of(signs.begin(), signs.end(), [&](const std::string& sign) {
        return sign != " " && typesetter.covers(sign);
      })) {
    throw Error(ErrorKind::kData, name + " has no sign of these captions; give another font");
  }
  try_out(typesetter, texts);
}

}  // namespace

Typesetter typesetter_for(const std::vector<std::string>& texts, const std::string& font,
                          const std::string& home) {
  Typesetter typesetter;
  if (!font.empty()) add_named_font(typesetter, font, texts);
  std::string missing = uncovered(typesetter, texts);
  const std::vector<fs::path> files = font_files(home);
  for (auto file = files.begin(); !missing.empty() && file != files.end(); ++file) {
    std::vector<uint8_t> bytes;
    try {
      bytes = read_bytes(file->string());
      Typesetter alone;
      if (!alone.add_font(bytes) || !alone.covers(missing)) continue;
      try_out(alone, texts);
    } catch (const Error& error) {
      if (error.kind() == ErrorKind::kUnavailable) throw;  // too little memory
      continue;  // damaged, too large or not a file: another font may work
    }
    typesetter.add_font(std::move(bytes), quote(file->string()));
    missing = uncovered(typesetter, texts);
  }
  if (missing.empty()) {
    try_out(typesetter, texts);
    return typesetter;
  }
  throw Error(ErrorKind::kMissing,
              files.empty() && font.empty()
                  ? "captions need a font and this machine has none; install fonts-dejavu-core, or "
                    "give --font FILE"
                  : "no font here has the sign " + quote(missing) +
                        "; install fonts for its script (Debian: fonts-noto), or give --font FILE");
}

}  // namespace bifrons::cli
