// A batch of five small pictures without an engine, which kill_points.py kills. It uses one thread,
// so that the k-th system call is the same in every run.
//
// usage: torture_subject DIRECTORY SETTING [naive]
#include <fcntl.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>

#include "src/io/sha256.h"
#include "src/store/store.h"

namespace bifrons {
namespace {

std::string content_of(const std::string& name, const std::string& setting) {
  std::string content;
  for (int i = 0; i < 2000; ++i) content += "picture " + name + " " + setting + "\n";
  return content;
}

std::string name_of(int picture) { return "picture-" + std::to_string(picture) + ".png"; }

ManifestEntry entry_of(const std::string& name, const std::string& setting) {
  return {name, "0000000000000000", 0, "", sha256(name + setting)};
}

void write_batch(const std::string& directory, const std::string& setting) {
  Store store({.directory = directory, .resume = Resume::kTrust});
  for (int i = 0; i < 5; ++i) {
    const ManifestEntry entry = entry_of(name_of(i), setting);
    if (store.state_of(entry) == PictureState::kDone) continue;
    const std::string content = content_of(entry.file_name, setting);
    store.add(entry, "\"text\":\"x\",\"index\":" + std::to_string(i),
              {reinterpret_cast<const uint8_t*>(content.data()), content.size()});
  }
  store.finish(0);
}

// A wrong implementation that the harness must detect: files have their final names from the first
// byte, and the manifest lists them before they are on disk.
void write_naively(const std::string& directory, const std::string& setting) {
  std::filesystem::create_directories(directory);
  for (int i = 0; i < 5; ++i) {
    ManifestEntry entry = entry_of(name_of(i), setting);
    const std::string path = directory + "/" + entry.file_name;
    if (std::filesystem::exists(path)) continue;
    const std::string content = content_of(entry.file_name, setting);
    entry.sha256 = sha256(content);
    entry.bytes = static_cast<int64_t>(content.size());
    std::ofstream(directory + "/metadata.jsonl", std::ios::app)
        << manifest_line(entry, "\"text\":\"x\",\"index\":" + std::to_string(i));
    std::ofstream(path) << content;
  }
}

int run(const std::string& directory, const std::string& setting, bool naive) {
  try {
    naive ? write_naively(directory, setting) : write_batch(directory, setting);
    return 0;
  } catch (const Error& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return error.exit_code();
  }
}

}  // namespace
}  // namespace bifrons

int main(int argc, char** argv) {
  if (argc < 3) return 2;
  return bifrons::run(argv[1], argv[2], argc > 3 && std::string_view(argv[3]) == "naive");
}
