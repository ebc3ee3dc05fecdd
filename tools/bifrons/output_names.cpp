// Patterns are expanded by our own code: a prompt or a model name must never reach a format
// function.
#include "tools/bifrons/output_names.h"

#include <fmt/format.h>

#include <map>
#include <set>

#include "src/bifrons.h"
#include "src/io/durable_file.h"
#include "src/io/paths.h"
#include "src/io/quote.h"
#include "tools/bifrons/signals.h"

namespace bifrons::cli {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kDefaultPattern = "bifrons-{seed}-{slug}.png";
constexpr std::string_view kDefaultSheet = "bifrons-{seed}-{slug}-grid.png";

std::string padded(int64_t index, std::string_view width) {
  size_t digits = 0;
  for (char c : width) digits = digits * 10 + static_cast<size_t>(c - '0');
  std::string text = std::to_string(index);
  if (digits > text.size()) text.insert(0, digits - text.size(), '0');
  return text;
}

// Reads the width of a number, at most two digits.
bool is_width(std::string_view text) {
  return text.size() <= 2 && text.find_first_not_of("0123456789") == std::string_view::npos;
}

std::string field(std::string_view name, const NameFacts& facts) {
  if (name == "seed") return std::to_string(facts.seed);
  if (name == "slug") return facts.slug;
  if (name == "model") return facts.model;
  if (name == "index") return std::to_string(facts.index);
  if (name.starts_with("index:") && is_width(name.substr(6))) {
    return padded(facts.index, name.substr(6));
  }
  throw Error(ErrorKind::kUsage, "--output has an unknown field " +
                                     quote("{" + std::string(name) + "}", 60) +
                                     "; known are {seed} {slug} {index} {index:04} {model}");
}

fs::path numbered(const fs::path& path, std::string_view suffix) {
  return path.parent_path() /
         (path.stem().string() + std::string(suffix) + path.extension().string());
}

// `path`, or the first of path-2, path-3, ... that is free. `tried` holds the last number for each
// name, so that many pictures of one name do not all start at 2.
using Tried = std::map<fs::path, int64_t>;
fs::path moved_aside(const fs::path& path, const std::set<fs::path>& taken, Tried& tried) {
  fs::path candidate = path;
  int64_t& n = tried.emplace(path, 1).first->second;
  if (n > 1) candidate = numbered(path, fmt::format("-{}", ++n));
  while (path_exists(candidate) || taken.contains(candidate)) {
    candidate = numbered(path, fmt::format("-{}", ++n));
  }
  return candidate;
}

bool is_directory_wish(const std::string& output) {
  return output.ends_with('/') || directory_exists(output);
}

// Expands the pattern. If several pictures would get one name, a number is put before its ending.
std::vector<fs::path> expand_all(const std::string& pattern, const std::vector<NameFacts>& facts) {
  std::vector<fs::path> names;
  std::set<fs::path> distinct;
  for (const NameFacts& each : facts) {
    names.emplace_back(expand_name(pattern, each));
    distinct.insert(names.back());
  }
  if (distinct.size() == names.size()) return names;
  for (size_t i = 0; i < names.size(); ++i) {
    names[i] = numbered(names[i], fmt::format("-{:04}", facts[i].index));
  }
  return names;
}

}  // namespace

std::string expand_name(std::string_view pattern, const NameFacts& facts) {
  std::string name;
  for (size_t i = 0; i < pattern.size();) {
    const std::string_view rest = pattern.substr(i);
    if (rest.starts_with("{{") || rest.starts_with("}}") || rest.starts_with("%%")) {
      name.push_back(rest[0]);
      i += 2;
    } else if (rest[0] == '{') {
      const size_t close = rest.find('}');
      if (close == std::string_view::npos) {
        throw Error(ErrorKind::kUsage, "--output has a { without }; write {{ for the sign itself");
      }
      name += field(rest.substr(1, close - 1), facts);
      i += close + 1;
    } else if (rest[0] == '%') {
      const size_t letter = rest.find_first_not_of("0123456789", 1);
      if (letter != std::string_view::npos && rest[letter] == 'd' &&
          is_width(rest.substr(1, letter - 1))) {
        name += padded(facts.index, rest.substr(1, letter - 1));
        i += letter + 1;
      } else {  // a lone percent sign is part of the name
        name.push_back('%');
        ++i;
      }
    } else {
      name.push_back(rest[0]);
      ++i;
    }
  }
  return name;
}

PictureFormat format_of_output(const fs::path& path) {
  const auto format = picture_format_of(path.filename().string());
  if (format) return *format;
  throw Error(ErrorKind::kUsage, "the output " + quote(path.string()) +
                                     " must end in .png, .jpg or .webp, or in / for a directory");
}

void check_output_file(const fs::path& path, bool overwrite) {
  if (!overwrite && path_exists(path)) {
    throw Error(ErrorKind::kCannotWrite, quote(path.string()) +
                                             " exists already; choose another name, or --overwrite "
                                             "(-y) to replace it");
  }
  check_writable(path);
}

OutputPlan plan_outputs(const OutputWish& wish, std::vector<NameFacts> facts) {
  OutputPlan plan;
  plan.replace = wish.overwrite;
  if (wish.output == "-") {
    if (facts.size() != 1 || wish.sheet) {
      throw Error(ErrorKind::kUsage, "--output - takes one picture: no --count and no --grid");
    }
    plan.to_stdout = true;
    return plan;
  }
  const bool default_names = wish.output.empty() || is_directory_wish(wish.output);
  if (default_names) {
    const fs::path directory = wish.output;
    if (!wish.output.empty()) make_directories(directory);
    std::set<fs::path> taken;
    Tried tried;
    for (const NameFacts& each : facts) {
      heed_stop();
      fs::path path = directory / expand_name(kDefaultPattern, each);
      if (!wish.overwrite) path = moved_aside(path, taken, tried);
      taken.insert(path);
      plan.files.push_back(std::move(path));
    }
    if (wish.sheet) {
      plan.sheet = directory / expand_name(kDefaultSheet, facts.front());
      if (!wish.overwrite) plan.sheet = moved_aside(plan.sheet, taken, tried);
    }
  } else {
    plan.files = expand_all(wish.output, facts);
    if (wish.sheet) {
      plan.sheet = numbered(expand_name(wish.output, facts.front()), "-grid");
    }
  }
  std::set<PictureFormat> formats;
  for (const fs::path& file : plan.files) {
    heed_stop();
    formats.insert(format_of_output(file));
    check_output_file(file, wish.overwrite);
  }
  // A codec that this build lacks must be reported before drawing, which takes minutes.
  for (PictureFormat format : formats) encode_picture({1, 1, {0, 0, 0}}, format, nullptr);
  if (wish.sheet) check_output_file(plan.sheet, wish.overwrite);
  return plan;
}

fs::path save_output(const fs::path& path, bool replace, std::span<const uint8_t> bytes) {
  fs::path target = path;
  Tried tried;
  while (!write_durably(target, bytes, replace ? IfExists::kReplace : IfExists::kRefuse)) {
    target = moved_aside(path, {target}, tried);
  }
  return target;
}

std::string save_text(const std::string& path, bool replace, std::string_view text) {
  return save_output(path, replace, {reinterpret_cast<const uint8_t*>(text.data()), text.size()})
      .string();
}

}  // namespace bifrons::cli
