// Each file is checked at the start and opened for reading when its turn comes, so that thousands
// of files need few descriptors. Pipes and the first few files stay open.
#include "tools/bifrons/prompt_files.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "kernels/error.h"
#include "src/io/directory.h"
#include "src/io/paths.h"
#include "src/io/quote.h"

namespace bifrons::cli {
namespace {

constexpr size_t kKeptOpen = 64;
constexpr size_t kMostCaptions = 1'000'000;  // in a folder; their names are held in memory

PromptFormat format_of(const std::string& path, const std::string& format) {
  if (!format.empty()) return *prompt_format_of("x." + format);
  if (const auto found = prompt_format_of(path)) return *found;
  if (path.ends_with('/')) throw Error(ErrorKind::kMissing, quote(path) + ": no such folder");
  constexpr const char* kFormats = "txt, jsonl, json, csv or tsv";
  throw Error(ErrorKind::kUsage, path == "-"
                                     ? fmt::format("stdin needs --format {}", kFormats)
                                     : quote(path) +
                                           " ends in none of .txt .jsonl .json .csv .tsv; say "
                                           "which with --format");
}

bool is_folder(const std::string& path) {
  struct stat status = {};
  return path != "-" && stat(path.c_str(), &status) == 0 && S_ISDIR(status.st_mode);
}

// "a fox" for "a fox.txt". Empty for a hidden file or one that is not a caption.
std::string caption_name(const std::string& file) {
  const size_t dot = file.rfind('.');
  if (dot == std::string::npos || dot == 0 || file.starts_with('.')) return {};
  return prompt_format_of(file) == PromptFormat::kText ? file.substr(0, dot) : std::string();
}

// "in/" for "in/prompts.jsonl"; empty for stdin and for a file of the working directory.
std::string folder_of(const std::string& path) {
  const size_t slash = path.rfind('/');
  return path == "-" || slash == std::string::npos ? std::string() : path.substr(0, slash + 1);
}

// Opens a file of a folder. Only a regular file is read, and opening must not wait. Returns why it
// cannot be read, or an empty text and the open file.
std::string open_caption(const std::string& path, UniqueFd& file) {
  RegularFile opened = open_regular(path, O_RDONLY);
  file = std::move(opened.file);
  if (opened.not_regular) return "is not a regular file";
  return opened.problem.empty() ? "" : "cannot be opened: " + opened.problem;
}

}  // namespace

std::string shown_path(const std::string& path) {
  const std::string quoted = quote(path, 120);
  return quoted.substr(1, quoted.size() - 2) == path ? path : quoted;
}

PromptFiles::PromptFiles(const std::vector<std::string>& paths, const std::string& format,
                         bool read_again) {
  if (std::count(paths.begin(), paths.end(), "-") > 1) {
    throw Error(ErrorKind::kUsage, "stdin can be read once only");
  }
  size_t folders = 0;
  for (const std::string& path : paths) {
    if (is_folder(path)) {
      ++folders;
      add_folder(path);
    } else {
      add_file(path, format, read_again, entries_.size() < kKeptOpen);
    }
  }
  several_ = paths.size() > 1 || folders > 0;
  name_ = !several_           ? entries_.front().source->name()
          : paths.size() == 1 ? shown_path(paths.front())
                              : fmt::format("{} prompt files", entries_.size());
}

void PromptFiles::add_file(const std::string& path, const std::string& format, bool read_again,
                           bool keep) {
  Entry entry{path, format_of(path, format), std::make_shared<PromptSource>(path, read_again)};
  const int64_t bytes = entry.source->bytes();
  bytes_ = bytes < 0 || bytes_ < 0 ? -1 : bytes_ + bytes;
  if (!keep && bytes >= 0 && path != "-") entry.source.reset();
  entries_.push_back(std::move(entry));
}

void PromptFiles::add_folder(const std::string& path) {
  const Directory folder = Directory::open(path);
  size_t captions = 0;
  for (const std::string& name : folder.names()) {
    if (caption_name(name).empty()) continue;
    if (++captions > kMostCaptions) {
      throw Error(ErrorKind::kData,
                  fmt::format("{} holds more than {} .txt files; put the prompts in one file, a "
                              "line each",
                              quote(path), kMostCaptions));
    }
    entries_.push_back(
        {path + (path.ends_with('/') ? "" : "/") + name, PromptFormat::kCaption, {}});
    struct stat status = {};
    const bool sized = stat(entries_.back().path.c_str(), &status) == 0 && S_ISREG(status.st_mode);
    if (sized && bytes_ >= 0) bytes_ += status.st_size;
  }
  if (captions > 0) return;
  throw Error(ErrorKind::kData,
              quote(path) + " holds no .txt file; of a folder, each .txt file is a prompt");
}

PromptFile PromptFiles::open(const Entry& entry) const {
  PromptFile file;
  file.name = shown_path(entry.path);
  file.format = entry.format;
  file.folder = folder_of(entry.path);
  if (entry.format == PromptFormat::kCaption) {
    file.id = caption_name(entry.path.substr(entry.path.rfind('/') + 1));
    auto opened = std::make_shared<UniqueFd>();
    file.problem = open_caption(entry.path, *opened);
    file.stream = stream_of(std::move(opened), file.name);
    return file;
  }
  const auto source =
      entry.source ? entry.source : std::make_shared<PromptSource>(entry.path, false);
  file.name = source->name();
  file.stream = [source, read = source->stream()](std::span<char> room) mutable {
    return read(room);
  };
  file.ready = [source] { return source->ready(); };
  return file;
}

PromptReader PromptFiles::reader(std::function<void(const std::string&)> warn, bool comments) {
  if (several_) {
    const auto next = [this, at = size_t{0}]() mutable -> std::optional<PromptFile> {
      return at < entries_.size() ? std::optional(open(entries_[at++])) : std::nullopt;
    };
    return {next, std::move(warn), comments};
  }
  PromptFile file = open(entries_.front());
  if (warn) {
    warn = [warn, name = file.name](const std::string& sentence) { warn(name + ": " + sentence); };
  }
  return {std::move(file.stream), file.format, std::move(warn),       std::move(file.name),
          std::move(file.ready),  comments,    std::move(file.folder)};
}

void PromptFiles::check_headers(bool comments) {
  for (const Entry& entry : entries_) {
    const bool table = entry.format == PromptFormat::kCsv || entry.format == PromptFormat::kTsv;
    if (!several_ || !table || (entry.source && entry.source->bytes() < 0)) continue;
    PromptFile file = open(entry);
    PromptReader(std::move(file.stream), file.format, {}, file.name, {}, comments).begin();
  }
}

}  // namespace bifrons::cli
