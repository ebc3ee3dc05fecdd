// The files and the names in the folder are untrusted.
#include "src/prompts/wildcard_files.h"

#include <fmt/format.h>
#include <fnmatch.h>

#include <algorithm>
#include <filesystem>
#include <set>

#include "kernels/error.h"
#include "kernels/utf8.h"
#include "src/io/descriptor.h"
#include "src/io/directory.h"
#include "src/io/quote.h"
#include "src/io/text.h"
#include "src/prompts/refuse.h"

namespace bifrons {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kLargestWildcardFile = 4 << 20;
constexpr int kMostEntries = 20'000;
constexpr int kDeepestFolder = 16;
constexpr size_t kLongestWildcard = 400;
constexpr std::ptrdiff_t kMostStars = 8;  // fnmatch() tries all combinations of their lengths

// Escaped as in a template.
std::string shown(const std::string& name) {
  const std::string text = quote("__" + name + "__", 120);
  return text.substr(1, text.size() - 2);
}

void check_name(const std::string& name) {
  if (name.size() > kLongestWildcard || std::count(name.begin(), name.end(), '*') > kMostStars) {
    refuse_as_data("the name of the wildcard " + shown(name) + " is too long");
  }
  const bool out = name.front() == '/' || name.back() == '/' || name.find("..") != name.npos ||
                   name.find('\\') != name.npos;
  if (out) {
    refuse_as_data("the wildcard " + shown(name) +
                   " is no path inside the folder of wildcards: no .., no \\, no / at its ends");
  }
}

bool is_pattern(const std::string& name) { return name.find_first_of("*?[") != name.npos; }

bool matches(const std::string& pattern, const std::string& name) {
  return fnmatch(pattern.c_str(), name.c_str(), FNM_NOESCAPE) == 0;
}

bool is_structured(const fs::path& path) {
  return path.extension() == ".yaml" || path.extension() == ".yml" || path.extension() == ".json";
}

}  // namespace

void WildcardFiles::list() {
  if (!problem_.empty()) refuse_as_data(problem_);
  if (listed_) return;
  std::error_code error;
  if (!fs::is_directory(directory_, error)) {
    problem_ = "there is no folder of wildcards " + quote(directory_, 120) +
               "; --wildcards says where it is";
    refuse_as_data(problem_);
  }
  std::set<std::string> seen;  // visited folders, so that cyclic links end
  int entries = 0;
  for (fs::recursive_directory_iterator at(directory_,
                                           fs::directory_options::skip_permission_denied |
                                               fs::directory_options::follow_directory_symlink,
                                           error),
       end;
       !error && at != end; at.increment(error)) {
    if (++entries > kMostEntries) {
      problem_ = fmt::format("the folder of wildcards {} holds more than {} files and folders",
                             quote(directory_, 120), kMostEntries);
      refuse_as_data(problem_);
    }
    std::error_code unknown;  // an entry that cannot be examined is not a folder
    if (at->is_directory(unknown)) {
      const fs::path real = fs::canonical(at->path(), unknown);
      const bool hidden = at->path().filename().string().starts_with('.');
      if (unknown || hidden || at.depth() >= kDeepestFolder || !seen.insert(real).second) {
        at.disable_recursion_pending();
      }
      continue;
    }
    const std::string name =
        at->path().lexically_relative(directory_).replace_extension().generic_string();
    if (at->path().extension() == ".txt") names_.push_back(name);
    if (is_structured(at->path())) structured_.push_back(name);
  }
  if (error) {
    problem_ = fmt::format("the folder of wildcards {} cannot be listed: {}",
                           quote(directory_, 120), reason_of(error.value()));
    refuse_as_data(problem_);
  }
  std::sort(names_.begin(), names_.end());
  listed_ = true;
}

std::vector<std::string> WildcardFiles::matching(const std::string& name) {
  check_name(name);
  const size_t slash = name.rfind('/');
  const std::string below = slash == std::string::npos ? "" : "/" + name.substr(0, slash);
  if (!is_pattern(name)) {
    try {
      const Directory folder = Directory::open(directory_ + below);
      if (folder.contains(name.substr(slash + 1) + ".txt")) return {name};
    } catch (const Error&) {  // no such folder: the name may be in another folder
    }
  }
  list();
  // A name without a path stands for files of that name in any folder, if there is none at its own
  // path.
  std::vector<std::string> wanted = {"*/" + name};
  if (is_pattern(name)) wanted.insert(wanted.begin(), name);
  for (const std::string& pattern : wanted) {
    const auto among = [&](const std::vector<std::string>& names) {
      std::vector<std::string> found;
      for (const std::string& each : names) {
        if (each == name || matches(pattern, each)) found.push_back(each);
      }
      return found;
    };
    if (const auto unread = among(structured_); !unread.empty()) {
      refuse_as_data("the wildcard " + shown(name) + " stands for " + quote(unread[0], 120) +
                     " in YAML or JSON, which is not read; write its values into " +
                     quote(unread[0] + ".txt", 120) + ", one a line");
    }
    if (auto found = among(names_); !found.empty()) return found;
  }
  const std::vector<std::string_view> known(names_.begin(), names_.end());
  const std::string near(nearest(name, known));
  refuse_as_data("the wildcard " + shown(name) + " has no values: no such file in " +
                 quote(directory_, 120) +
                 (near.empty() ? "" : "; did you mean " + shown(near) + "?") +
                 (structured_.empty() ? "" : "; YAML and JSON files there are not read"));
}

std::vector<std::string> WildcardFiles::lines_of(const std::string& name) const {
  const size_t slash = name.rfind('/');
  const std::string below = slash == std::string::npos ? "" : "/" + name.substr(0, slash);
  std::string content;
  try {
    content = Directory::open(directory_ + below)
                  .read_file(name.substr(slash + 1) + ".txt", kLargestWildcardFile);
  } catch (const Error& error) {
    refuse_as_data("the wildcard " + shown(name) + " has no values: " + error.what());
  }
  if (const auto bad = invalid_utf8(content)) {
    refuse_as_data(
        fmt::format("the wildcard file {}.txt is not valid UTF-8 at byte {}", name, *bad));
  }
  std::string_view rest = content;
  if (rest.starts_with("\xef\xbb\xbf")) rest.remove_prefix(3);  // a byte order mark
  std::vector<std::string> values;
  while (!rest.empty()) {
    const size_t end = std::min(rest.find_first_of("\r\n"), rest.size());
    const std::string_view line = trimmed(rest.substr(0, end), " \t\f\v");
    rest.remove_prefix(std::min(end + 1, rest.size()));
    if (!line.empty() && line[0] != '#') values.emplace_back(line);
  }
  return values;
}

}  // namespace bifrons
