// Which files of a model directory hold its weights.
#include "src/weights/shards.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "kernels/error.h"
#include "src/io/json.h"
#include "src/io/quote.h"
#include "src/weights/container.h"

namespace bifrons {
namespace {

constexpr int64_t kMaxIndexBytes = 16 << 20;
constexpr size_t kMaxShards = 1000;
constexpr size_t kMaxName = 255;

// [A-Za-z0-9][A-Za-z0-9._-]*: no way out of the directory, nothing hidden.
bool is_plain_name(std::string_view name) {
  const auto alphanumeric = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
  };
  return !name.empty() && name.size() <= kMaxName && alphanumeric(name[0]) &&
         std::all_of(name.begin(), name.end(),
                     [&](char c) { return alphanumeric(c) || c == '.' || c == '_' || c == '-'; });
}

// How one format's files are called.
struct Naming {
  ContainerFormat format;
  std::string_view single;  // and its index: this with ".index.json"
  std::string_view prefix;  // of other files that may stand alone
  std::string_view suffix;
};

constexpr Naming kSafetensorsNaming{ContainerFormat::kSafetensors, "model.safetensors", "",
                                    ".safetensors"};
constexpr Naming kTorchNaming{ContainerFormat::kTorch, "pytorch_model.bin", "pytorch_model",
                              ".bin"};

// nullopt when nothing of this format is there.
std::optional<WeightFiles> find_format(const Directory& directory, const Naming& naming) {
  const std::string single(naming.single);
  if (directory.contains(single)) return WeightFiles{naming.format, {single}, {}, {}};
  const std::string index_name = single + ".index.json";
  if (directory.contains(index_name)) {
    WeightFiles files = parse_index(directory.read_file(index_name, kMaxIndexBytes), naming.suffix,
                                    directory.shown(index_name));
    files.format = naming.format;
    return files;
  }
  std::vector<std::string> others;
  for (const std::string& name : directory.names()) {
    if (is_plain_name(name) && name.starts_with(naming.prefix) && name.ends_with(naming.suffix)) {
      others.push_back(name);
    }
  }
  if (others.empty()) return std::nullopt;
  if (others.size() > 1) {
    refuse(quote(directory.path()),
           fmt::format("holds {} files like {} but no {} that says what belongs together",
                       others.size(), quote(others[0]), index_name));
  }
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
    if (auto files = find_format(directory, naming)) return *std::move(files);
  }
  throw Error(ErrorKind::kMissing,
              fmt::format("{}: holds neither model.safetensors nor pytorch_model.bin, whole or in "
                          "parts with an index",
                          quote(directory.path())));
}

}  // namespace bifrons
