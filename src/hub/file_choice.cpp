// A repository holds more than a model: pictures, other formats, the same weights twice.
#include "src/hub/file_choice.h"

#include <fmt/format.h>
#include <fnmatch.h>

#include <algorithm>
#include <array>
#include <string_view>

#include "kernels/error.h"
#include "src/io/quote.h"

namespace bifrons::hub {
namespace {

constexpr std::array<std::string_view, 10> kSmallFiles{"config.json",
                                                       "tokenizer.json",
                                                       "tokenizer_config.json",
                                                       "processor_config.json",
                                                       "preprocessor_config.json",
                                                       "special_tokens_map.json",
                                                       "added_tokens.json",
                                                       "generation_config.json",
                                                       "chat_template.json",
                                                       "README.md"};

bool is_small(std::string_view path) {
  return std::find(kSmallFiles.begin(), kSmallFiles.end(), path) != kSmallFiles.end() ||
         (path.starts_with("LICENSE") && path.find('/') == path.npos);
}

bool matches(const std::vector<std::string>& patterns, const std::string& path) {
  return std::any_of(patterns.begin(), patterns.end(), [&](const std::string& pattern) {
    return fnmatch(pattern.c_str(), path.c_str(), 0) == 0;
  });
}

struct Form {
  std::string_view prefix, suffix;
};
constexpr Form kSafetensors{"", ".safetensors"};
constexpr Form kTorch{"pytorch_model", ".bin"};

// A file of weights in the top directory that is not empty: some repositories hold both an empty
// model.safetensors and whole .bin files.
bool is_weights(const RemoteFile& file, const Form& form) {
  const std::string_view path = file.path;
  return file.bytes > 0 && path.find('/') == path.npos && path.starts_with(form.prefix) &&
         path.ends_with(form.suffix) && !path.starts_with("adapter_model.");
}

bool has(const Listing& listing, const auto& test) {
  return std::any_of(listing.files.begin(), listing.files.end(), test);
}

std::vector<RemoteFile> needed(const Listing& listing) {
  const auto safetensors = [](const RemoteFile& file) { return is_weights(file, kSafetensors); };
  const auto torch = [](const RemoteFile& file) { return is_weights(file, kTorch); };
  const bool prefers_safetensors = has(listing, safetensors);
  const std::string_view index =
      prefers_safetensors ? "model.safetensors.index.json" : "pytorch_model.bin.index.json";
  std::vector<RemoteFile> found;
  for (const RemoteFile& file : listing.files) {
    if (is_small(file.path) || file.path == index ||
        (prefers_safetensors ? safetensors(file) : torch(file))) {
      found.push_back(file);
    }
  }
  return found;
}

// Throws Error (missing) if this is not a repository of a model that can be read.
void check_model(const Listing& listing) {
  const std::string& id = listing.model.id;
  const auto ends = [&](std::string_view suffix) {
    return has(listing, [&](const RemoteFile& file) { return file.path.ends_with(suffix); });
  };
  const bool weights = has(listing, [](const RemoteFile& file) {
    return is_weights(file, kSafetensors) || is_weights(file, kTorch);
  });
  if (!weights) {
    throw Error(
        ErrorKind::kMissing,
        fmt::format("{} has no weights that are read (.safetensors or pytorch_model*.bin){}; "
                    "--include takes what you name",
                    id,
                    ends(".gguf")   ? ", only GGUF files"
                    : ends(".onnx") ? ", only ONNX graphs"
                                    : ""));
  }
  if (!has(listing, [](const RemoteFile& file) { return file.path == "config.json"; })) {
    throw Error(
        ErrorKind::kMissing,
        fmt::format("{} has no config.json, so it is no whole model{}; --include takes what "
                    "you name",
                    id, ends("adapter_config.json") ? " but a LoRA adapter" : ""));
  }
}

}  // namespace

std::vector<RemoteFile> choose_files(const Listing& listing, const FileChoice& choice) {
  std::vector<RemoteFile> files;
  if (choice.include.empty()) {
    check_model(listing);
    files = needed(listing);
  } else {
    std::copy_if(listing.files.begin(), listing.files.end(), std::back_inserter(files),
                 [&](const RemoteFile& file) { return matches(choice.include, file.path); });
  }
  std::erase_if(files, [&](const RemoteFile& file) { return matches(choice.exclude, file.path); });
  if (files.empty()) {
    throw Error(ErrorKind::kMissing,
                fmt::format("none of the {} files of {} is wanted; check --include and --exclude",
                            listing.files.size(), listing.model.id));
  }
  // Small ones first, so that whatever is wrong shows early.
  std::stable_sort(files.begin(), files.end(),
                   [](const RemoteFile& a, const RemoteFile& b) { return a.bytes < b.bytes; });
  return files;
}

}  // namespace bifrons::hub
