// The small file is created atomically and never replaces another one.
#include "src/store/random_base.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <stdio.h>
#include <unistd.h>

#include <cerrno>
#include <ctime>
#include <random>
#include <string_view>

#include "kernels/error.h"
#include "src/io/descriptor.h"
#include "src/io/json.h"
#include "src/io/quote.h"
#include "src/store/store_files.h"

namespace bifrons {
namespace {

constexpr int64_t kLargestFile = 1000;

std::string path_in(const std::string& directory) { return directory + "/.bifrons/random.json"; }

}  // namespace

std::optional<uint64_t> read_random_base(const std::string& directory) {
  const std::string path = path_in(directory);
  const auto status = status_of(path);
  if (!status) return std::nullopt;
  try {
    const auto text = S_ISREG(status->st_mode) ? content_of(path, kLargestFile) : std::nullopt;
    if (!text) throw Error(ErrorKind::kData, "not a file of ours");
    const Json json = Json::parse(*text, "random.json");
    const Json* base = json.find("base");
    if (base == nullptr) throw Error(ErrorKind::kData, "no base");
    return static_cast<uint64_t>(base->unsigned_integer("base"));
  } catch (const Error&) {
    throw Error(ErrorKind::kData,
                quote(path) +
                    " is damaged, and random seeds are made from it; put it back, or "
                    "take it away and other ones are made");
  }
}

uint64_t keep_random_base(const std::string& directory, uint64_t wanted) {
  if (const auto there = read_random_base(directory)) return *there;
  const std::string path = path_in(directory);
  // The name is unique, because several shards may do this at the same time.
  const std::string part = fmt::format("{}.{:x}", path, wanted);
  const UniqueFd file = open_own(part, O_WRONLY | O_CREAT | O_TRUNC);
  int error_number = write_all(file.get(), fmt::format("{{\"base\":{}}}\n", wanted));
  if (error_number == 0 && fsync(file.get()) != 0) error_number = errno;
  if (error_number == 0 && link(part.c_str(), path.c_str()) != 0 && errno != EEXIST) {
    // For file systems without hard links.
    if (status_of(path) || rename(part.c_str(), path.c_str()) == 0) errno = 0;
    error_number = errno;
  }
  unlink(part.c_str());
  if (error_number != 0) fail_to_write(path, error_number);
  sync_directory(directory + "/.bifrons");
  return read_random_base(directory).value_or(wanted);
}

void sweep_random_base(const std::string& directory, bool alone) {
  constexpr time_t kOldSeconds = 3600;
  constexpr std::string_view kPrefix = "random.json.";
  const std::string hidden = directory + "/.bifrons";
  for (const std::string& name : names_in(hidden)) {
    const bool ours = name.starts_with(kPrefix) && name.size() > kPrefix.size() &&
                      name.find_first_not_of("0123456789abcdef", kPrefix.size()) == name.npos;
    const std::string path = hidden + "/" + name;
    const auto status = ours ? status_of(path) : std::nullopt;
    if (!status || !S_ISREG(status->st_mode)) continue;
    if (alone || status->st_mtime < time(nullptr) - kOldSeconds) unlink(path.c_str());
  }
}

uint64_t new_random_base() {
  std::random_device device;
  // 1 to 2^62: an integer in JSON, and never 0, which means that there is no number.
  return 1 + (uint64_t{device()} << 30 | device() >> 2);
}

void remove_random_base(const std::string& directory) {
  const std::string path = path_in(directory);
  if (unlink(path.c_str()) != 0 && errno != ENOENT && errno != ENOTDIR) fail_to_write(path, errno);
}

}  // namespace bifrons
