// The manifest's lines go into the page as data; its script makes elements of them, never HTML.
#include "src/store/gallery.h"

#include <fcntl.h>
#include <unistd.h>

#include "kernels/error.h"
#include "src/io/durable_file.h"
#include "src/io/paths.h"
#include "src/io/quote.h"
#include "src/store/gallery_page.h"
#include "src/store/listing.h"

namespace bifrons {
namespace {

// JavaScript's numbers are exact up to 2^53: larger seeds become texts. Ours is the last member of
// that name, for what a prompt file brings along stands before it.
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

// Inside a script element only "<" could end it or open a comment.
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
  page += kGalleryTail;
  write_durably(path, {reinterpret_cast<const uint8_t*>(page.data()), page.size()},
                IfExists::kReplace);
  return static_cast<int64_t>(pictures.size());
}

}  // namespace bifrons
