// Joins the lines of all manifests in the order of the prompt file.
#include "src/store/listing.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <map>
#include <tuple>
#include <unordered_map>
#include <unordered_set>

#include "src/io/paths.h"
#include "src/io/quote.h"
#include "src/io/sha256.h"
#include "src/store/run_record.h"

namespace bifrons {
namespace {

// The last index counts: columns of the prompt file stand before our own index.
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

// The lines of one manifest.
struct Lines {
  std::unordered_set<uint64_t> names;  // hashes
  int64_t damaged = 0;
};

constexpr int64_t kMostDamagedLines = 1000;

// Compares the manifests with the records of finished runs, which hold the number of listed names.
void compare_with_runs(const std::string& directory, const std::map<std::string, Lines>& manifests,
                       std::vector<std::string>& problems) {
  std::vector<std::string> elsewhere;  // not used: damaged records are reported elsewhere
  for (const RunRecord& run : read_runs(directory, elsewhere)) {
    const std::string name = "metadata" + shard_suffix(run.shard, run.shards) + ".jsonl";
    const auto found = manifests.find(name);
    const auto left =
        found == manifests.end() ? 0 : static_cast<int64_t>(found->second.names.size());
    const int64_t damaged = found == manifests.end() ? 0 : found->second.damaged;
    if (!run.listed || left + damaged >= *run.listed) continue;
    problems.push_back(fmt::format("{} lists {} pictures, but the run finished {}",
                                   quote(directory + "/" + name, 160), left, *run.listed));
  }
}

// Removes repeats of an earlier version of a picture that was drawn again.
void drop_stale_repeats(std::vector<ListedPicture>& all,
                        const std::unordered_map<std::string, size_t>& place) {
  std::vector<bool> stale(all.size());
  for (size_t i = 0; i < all.size(); ++i) {
    if (all[i].entry.repeat == 0) continue;
    const auto picture = place.find(all[i].entry.file_name);
    stale[i] = picture == place.end() || all[picture->second].entry.sha256 != all[i].entry.sha256;
  }
  size_t i = 0;
  std::erase_if(all, [&](const ListedPicture&) { return stale[i++]; });
}

}  // namespace

std::string sha256_of_file(const std::string& path) {
  const RegularFile opened = open_regular(path, O_RDONLY);
  if (!opened.problem.empty()) return {};
  Sha256 sum;
  std::string block(size_t{1} << 16, '\0');
  while (true) {
    const ssize_t got = ::read(opened.file.get(), block.data(), block.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return {};
    if (got == 0) return sum.finish();
    sum.add(std::string_view(block).substr(0, static_cast<size_t>(got)));
  }
}

std::vector<ListedPicture> list_pictures(const std::string& directory,
                                         std::vector<std::string>* problems) {
  std::vector<ListedPicture> all;
  std::map<std::string, Lines> manifests;
  std::unordered_map<std::string, size_t> place;
  for (const std::string& name : manifests_in(directory)) {
    Lines& lines = manifests[name];
    const size_t problems_before = problems != nullptr ? problems->size() : 0;
    read_manifest(directory + "/" + name, [&](const ManifestRow& row) {
      auto entry = read_row(row, directory);
      if (!entry) {
        ++lines.damaged;
        if (problems != nullptr && lines.damaged <= kMostDamagedLines) {
          problems->push_back(fmt::format("{}:{}: the line is {}",
                                          quote(directory + "/" + name, 160), row.number,
                                          row.torn ? "torn" : "damaged"));
        }
        return;
      }
      if (problems != nullptr) lines.names.insert(ManifestIndex::hash(listing_of(*entry)));
      ListedPicture listed{std::move(*entry), index_of(row.text), directory, std::string(row.text)};
      const auto [known, is_new] = place.emplace(listing_of(listed.entry), all.size());
      if (is_new) {
        all.push_back(std::move(listed));
      } else if (all[known->second].entry.sha256 == listed.entry.sha256 ||
                 sha256_of_file(directory + "/" + listed.entry.file_name) == listed.entry.sha256) {
        all[known->second] = std::move(listed);
      }
    });
    if (problems != nullptr && lines.damaged > 0 && lines.names.empty() &&
        !is_of_batch(directory + "/" + name)) {
      problems->resize(problems_before);
      problems->push_back(quote(directory + "/" + name, 160) + " is not of a batch");
    }
  }
  drop_stale_repeats(all, place);
  if (problems != nullptr) compare_with_runs(directory, manifests, *problems);
  std::sort(all.begin(), all.end(), [](const ListedPicture& a, const ListedPicture& b) {
    return std::tie(a.index, a.entry.file_name, a.entry.repeat) <
           std::tie(b.index, b.entry.file_name, b.entry.repeat);
  });
  return all;
}

}  // namespace bifrons
