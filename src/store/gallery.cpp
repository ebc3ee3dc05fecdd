// The page contains the manifest's lines as data. Its script creates elements from them and never
// HTML text.
#include "src/store/gallery.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include "kernels/error.h"
#include "src/io/durable_file.h"
#include "src/io/paths.h"
#include "src/io/quote.h"
#include "src/settings/settings.h"
#include "src/store/gallery_page.h"
#include "src/store/listing.h"

namespace bifrons {
namespace {

// JavaScript's numbers are exact up to 2^53, so larger seeds become strings. The last member of
// that name is our own: columns of the prompt file stand before it.
std::string with_exact_seed(std::string line) {
  constexpr std::string_view kSeed = ",\"seed\":";
  const size_t name = line.rfind(kSeed);
  if (name == std::string::npos) return line;
  const size_t from = name + kSeed.size(), to = line.find_first_not_of("0123456789", from);
  if (to == std::string::npos || to - from < 16) return line;
  line.insert(to, "\"");
  line.insert(from, "\"");
  return line;
}

// Lines of the page's script that add the options of a command for the settings that are numbers.
// The page itself adds the seed, which is always given.
std::string option_lines() {
  std::string lines;
  for_each_number([&](const auto& setting) {
    if (setting.field == Field::kSeed) return;
    // A newer setting is missing in older lines and where it has its default.
    const std::string there =
        setting.always_in_records ? "" : fmt::format("p.{} !== undefined && ", setting.name);
    lines += fmt::format("  if ({}p.{} !== {}) words += \" {} \" + p.{};\n", there, setting.name,
                         DrawRequest{}.*setting.value, option_of(setting.flags), setting.name);
  });
  return lines;
}

// In a script element only "<" can end the element or start a comment.
std::string without_tags(const std::string& json) {
  std::string out;
  for (const char c : json) {
    if (c == '<') {
      out += "\\u003c";
    } else {
      out += c;
    }
  }
  return out;
}

}  // namespace

void check_gallery_place(const std::string& directory) {
  const std::string path = directory + "/index.html";
  const RegularFile opened = open_regular(path, O_RDONLY);
  if (opened.absent) return;
  std::string start(kGalleryStart.size(), '\0');
  if (opened.problem.empty() &&
      pread(opened.file.get(), start.data(), start.size(), 0) ==
          static_cast<ssize_t>(start.size()) &&
      start == kGalleryStart) {
    return;
  }
  throw Error(ErrorKind::kCannotWrite, quote(path) + " is there already and not from bifrons");
}

int64_t write_gallery(const std::string& directory) {
  const auto pictures = list_pictures(directory);
  if (pictures.empty()) {
    throw Error(ErrorKind::kMissing, "no pictures are listed in " + quote(directory) +
                                         "; a gallery needs the metadata.jsonl of a batch");
  }
  const std::string path = directory + "/index.html";
  check_gallery_place(directory);
  std::string page(kGalleryStart);
  page += kGalleryHead;
  for (size_t i = 0; i < pictures.size(); ++i) {
    page += without_tags(with_exact_seed(pictures[i].line));
    page += i + 1 < pictures.size() ? ",\n" : "\n";
  }
  page += kGalleryScript;
  page += option_lines();
  page += kGalleryTail;
  write_durably(path, {reinterpret_cast<const uint8_t*>(page.data()), page.size()},
                IfExists::kReplace);
  return static_cast<int64_t>(pictures.size());
}

}  // namespace bifrons
