// Lines of all manifests, in the order of the prompt file.
#include "src/batch/listing.h"

#include <algorithm>
#include <charconv>
#include <fstream>
#include <tuple>
#include <unordered_map>

#include "src/io/sha256.h"

namespace bifrons {
namespace {

// Our own index comes after everything a prompt file can bring along.
int64_t index_of(std::string_view line) {
  constexpr std::string_view kName = ",\"index\":";
  const size_t at = line.rfind(kName);
  int64_t index = 0;
  if (at != std::string_view::npos) {
    const std::string_view digits = line.substr(at + kName.size());
    std::from_chars(digits.data(), digits.data() + digits.size(), index);
  }
  return index;
}

}  // namespace

std::string sha256_of_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return {};
  Sha256 sum;
  std::string block(size_t{1} << 16, '\0');
  while (file) {
    file.read(block.data(), static_cast<std::streamsize>(block.size()));
    sum.add(std::string_view(block).substr(0, static_cast<size_t>(file.gcount())));
  }
  return file.bad() ? std::string() : sum.finish();
}

std::vector<ListedPicture> list_pictures(const std::string& directory) {
  std::vector<ListedPicture> all;
  std::unordered_map<std::string, size_t> place;
  for (const std::string& name : manifests_in(directory)) {
    read_manifest(directory + "/" + name, [&](const ManifestRow& row) {
      auto entry = read_manifest_line(row.text);
      if (!entry) return;
      ListedPicture listed{std::move(*entry), index_of(row.text), directory, std::string(row.text)};
      const auto [known, is_new] = place.emplace(listed.entry.file_name, all.size());
      if (is_new) {
        all.push_back(std::move(listed));
      } else if (all[known->second].entry.sha256 == listed.entry.sha256 ||
                 sha256_of_file(directory + "/" + listed.entry.file_name) == listed.entry.sha256) {
        all[known->second] = std::move(listed);
      }
    });
  }
  std::sort(all.begin(), all.end(), [](const ListedPicture& a, const ListedPicture& b) {
    return std::tie(a.index, a.entry.file_name) < std::tie(b.index, b.entry.file_name);
  });
  return all;
}

}  // namespace bifrons
