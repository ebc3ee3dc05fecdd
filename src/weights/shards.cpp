// Chooses the files of a model directory that hold its weights.
#include "src/weights/shards.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>

#include "kernels/error.h"
#include "src/io/json.h"
#include "src/io/quote.h"
#include "src/weights/container.h"
#include "src/weights/diagnosis.h"

namespace bifrons {
namespace {

constexpr int64_t kMaxIndexBytes = 16 << 20;
constexpr size_t kMaxShards = 1000;
constexpr size_t kMaxName = 255;

// Matches [A-Za-z0-9][A-Za-z0-9._-]*: a name that cannot leave the directory and is not hidden.
bool is_plain_name(std::string_view name) {
  const auto alphanumeric = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
  };
  return !name.empty() && name.size() <= kMaxName && alphanumeric(name[0]) &&
         std::all_of(name.begin(), name.end(),
                     [&](char c) { return alphanumeric(c) || c == '.' || c == '_' || c == '-'; });
}

// File names of a format.
struct Naming {
  ContainerFormat format;
  std::string_view single;  // its index: this with ".index.json" appended
  std::string_view prefix;  // of other files that may be a model by themselves
  std::string_view suffix;
};

constexpr Naming kSafetensorsNaming{ContainerFormat::kSafetensors, "model.safetensors", "",
                                    ".safetensors"};
constexpr Naming kTorchNaming{ContainerFormat::kTorch, "pytorch_model.bin", "pytorch_model",
                              ".bin"};

// Files that may be a whole model, or shards of one set; check_set() checks which. The file of a
// LoRA adapter is skipped, because it is not a model.
std::vector<std::string> files_without_index(const Directory& directory, const Naming& naming) {
  std::vector<std::string> found;
  for (const std::string& name : directory.names()) {
    if (is_plain_name(name) && name.starts_with(naming.prefix) && name.ends_with(naming.suffix) &&
        !name.starts_with("adapter_model.")) {
      found.push_back(name);
    }
  }
  return found;
}

// Throws Error: missing, with the name of a missing shard; data, if the files are not one set.
void check_set(const Directory& directory, const std::vector<std::string>& files,
               const std::string& index_name) {
  const std::optional<ShardName> first = parse_shard_name(files[0]);
  for (const std::string& file : files) {
    if (files.size() == 1 && !first) return;
    const std::optional<ShardName> part = parse_shard_name(file);
    if (!first || !part || part->stem != first->stem || part->parts != first->parts) {
      refuse(quote(directory.path()),
             fmt::format("holds {} files like {} but no {} that says what belongs together",
                         files.size(), quote(files[0]), index_name));
    }
  }
  for (int64_t part = 1; part <= first->parts; ++part) {
    const std::string name = shard_name(*first, part);
    if (std::binary_search(files.begin(), files.end(), name)) continue;
    throw Error(ErrorKind::kMissing, fmt::format("{}: part {} of {} is missing; download it",
                                                 directory.shown(name), part, first->parts));
  }
}

// Throws Error (missing) if a file in the index does not exist.
void check_files_exist(const Directory& directory, const WeightFiles& weights) {
  std::vector<std::string> missing;
  for (const std::string& file : weights.files) {
    if (!directory.contains(file)) missing.push_back(file);
  }
  if (missing.empty()) return;
  if (missing.size() == weights.files.size() && missing.size() > 1) {
    throw Error(ErrorKind::kMissing,
                fmt::format("{}: the index is there, but none of the {} files that it names, such "
                            "as {}; download them",
                            weights.index_name, missing.size(), quote(missing[0])));
  }
  const auto note = unfinished_download(directory, missing[0]);
  throw Error(
      ErrorKind::kMissing,
      fmt::format("{}: no such file, though the index names it ({} of {} files are missing); "
                  "{}",
                  directory.shown(missing[0]), missing.size(), weights.files.size(),
                  note ? "its download is not finished: " + quote(*note) + " is there"
                       : std::string("download it")));
}

// nullopt if the directory has no file of this format.
std::optional<WeightFiles> find_format(const Directory& directory, const Naming& naming) {
  const std::string single(naming.single);
  if (directory.contains(single)) return WeightFiles{naming.format, {single}, {}, {}};
  const std::string index_name = single + ".index.json";
  if (directory.contains(index_name)) {
    WeightFiles files = parse_index(directory.read_file(index_name, kMaxIndexBytes), naming.suffix,
                                    directory.shown(index_name));
    files.format = naming.format;
    check_files_exist(directory, files);
    return files;
  }
  const std::vector<std::string> others = files_without_index(directory, naming);
  if (others.empty()) return std::nullopt;
  check_set(directory, others, index_name);
  return WeightFiles{naming.format, others, {}, {}};
}

}  // namespace

WeightFiles parse_index(std::string_view text, std::string_view suffix,
                        const std::string& shown_name) {
  const JsonLimits limits{kMaxIndexBytes, 8, 1'000'000};
  const Json root = Json::parse(text, shown_name, limits);
  const Json* map = root.find("weight_map");
  if (map == nullptr) refuse(shown_name, "has no weight_map");

  std::map<std::string, size_t> positions;
  WeightFiles files;
  files.index_name = shown_name;
  for (const auto& [tensor, value] : map->members(shown_name + ": weight_map")) {
    const std::string where = fmt::format("{}: tensor {}", shown_name, quote(tensor));
    const std::string& file = value.text(where);
    if (!is_plain_name(file) || !file.ends_with(suffix)) {
      refuse(where, fmt::format("{} is not the plain name of a {} file", quote(file, 80), suffix));
    }
    positions.emplace(file, 0);
    if (positions.size() > kMaxShards) {
      refuse(shown_name, fmt::format("names more than {} files", kMaxShards));
    }
  }
  if (positions.empty()) refuse(shown_name, "its weight_map is empty");
  for (auto& [file, position] : positions) {
    position = files.files.size();
    files.files.push_back(file);
  }
  for (const auto& [tensor, value] : map->members(shown_name)) {
    files.index.emplace_back(tensor, positions.at(value.text(shown_name)));
  }
  std::sort(files.index.begin(), files.index.end());
  return files;
}

WeightFiles find_weight_files(const Directory& directory) {
  for (const Naming& naming : {kSafetensorsNaming, kTorchNaming}) {
    std::optional<WeightFiles> files = find_format(directory, naming);
    if (!files) continue;
    // aria2 creates a file with its final size and name, and keeps a list of missing parts next to
    // it.
    for (const std::string& file : files->files) {
      if (!directory.contains(file + ".aria2")) continue;
      refuse(directory.shown(file),
             "its download is not finished, a .aria2 file is beside it; finish it");
    }
    return *std::move(files);
  }
  auto kind = detect_directory_kind(directory);
  if (!kind) kind = oddly_named_weights(directory);
  if (kind) {
    throw Error(ErrorKind::kMissing, fmt::format("{}: {}", quote(directory.path()), *kind));
  }
  throw Error(ErrorKind::kMissing,
              fmt::format("{}: holds neither model.safetensors nor pytorch_model.bin, whole or in "
                          "parts with an index",
                          quote(directory.path())));
}

}  // namespace bifrons
