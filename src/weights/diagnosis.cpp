// Diagnosis of a directory without readable weights: what it holds, and what to do.
#include "src/weights/diagnosis.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "src/io/quote.h"
#include "src/io/text.h"

namespace bifrons {
namespace {

constexpr size_t kMostFolders = 1000;  // limit of folders that are searched

constexpr std::string_view kTakeOthers = "take the model's .safetensors or .bin files";

struct Ending {
  std::string_view ending;
  std::string_view clause;  // follows the file name
};

constexpr std::array<Ending, 10> kOtherFormats{{
    {".gguf", "is a GGUF file, which is not read"},
    {".ggml", "is a GGML file, which is not read"},
    {".onnx", "is an ONNX graph, which is not read"},
    {".h5", "is an HDF5 file (Keras), which is not read"},
    {".keras", "is a Keras file, which is not read"},
    {".msgpack", "is a Flax file, which is not read"},
    {".tflite", "is a TensorFlow Lite file, which is not read"},
    {".mlmodel", "is a Core ML file, which is not read"},
    {".npz", "is an archive of NumPy arrays (MLX), which is not read"},
    {".engine", "is a TensorRT engine, which is not read"},
}};

constexpr std::array<std::string_view, 8> kUnfinished{".incomplete", ".part",     ".partial",
                                                      ".crdownload", ".download", ".aria2",
                                                      ".opdownload", ".!qB"};

constexpr std::array<std::string_view, 11> kArchives{".zip",    ".tar",     ".tar.gz",  ".tgz",
                                                     ".tar.xz", ".tar.zst", ".tar.bz2", ".7z",
                                                     ".rar",    ".gz",      ".zst"};

constexpr std::array<std::string_view, 4> kTorchFiles{".pth", ".pt", ".ckpt", ".pkl"};

// The first name with one of these endings, and that ending.
template <typename Endings>
std::optional<std::pair<std::string, std::string_view>> ending_with(
    const std::vector<std::string>& names, const Endings& endings) {
  for (const std::string& name : names) {
    for (const std::string_view ending : endings) {
      if (name.size() > ending.size() && name.ends_with(ending)) return std::pair(name, ending);
    }
  }
  return std::nullopt;
}

// Recognises the folders of programs that store models in their own layout.
std::optional<std::string> other_program(const std::vector<std::string>& names) {
  const auto has = [&](std::string_view name) {
    return std::find(names.begin(), names.end(), name) != names.end();
  };
  const auto begins = [](std::string_view start) {
    return [start](const std::string& name) { return name.starts_with(start); };
  };
  if (has("adapter_config.json") ||
      std::any_of(names.begin(), names.end(), begins("adapter_model."))) {
    return "holds a LoRA adapter, not a model; merge it into its base model (peft's "
           "merge_and_unload()) and save that";
  }
  if (has("model_index.json")) {
    return "holds a diffusers pipeline; only Janus models are read";
  }
  if (has("Modelfile") || (has("manifests") && has("blobs"))) {
    return fmt::format("holds a model of Ollama, which is GGUF and not read; {}", kTakeOthers);
  }
  if (has("snapshots") && (has("refs") || has("blobs"))) {
    return "is a repository of the hub's cache; name a folder below its snapshots";
  }
  const auto repository = std::find_if(names.begin(), names.end(), begins("models--"));
  if (repository != names.end()) {
    return fmt::format("is the hub's cache; name one of its models, such as {}",
                       quote(*repository));
  }
  if (has("onnx")) {
    return fmt::format("holds a folder of ONNX graphs, which are not read; {}", kTakeOthers);
  }
  return std::nullopt;
}

// Finds a model in a subfolder, as archives and downloads leave it.
std::optional<std::string> model_below(const Directory& directory,
                                       const std::vector<std::string>& names) {
  if (directory.contains("config.json")) return std::nullopt;
  for (size_t i = 0; i < std::min(names.size(), kMostFolders); ++i) {
    if (!directory.contains(names[i] + "/config.json")) continue;
    return fmt::format("holds no config.json, but its folder {} does; name that one",
                       quote(names[i]));
  }
  return std::nullopt;
}

}  // namespace

std::optional<std::string> oddly_named_weights(const Directory& directory) {
  for (const std::string& name : directory.names()) {
    const std::string lower = lower_case(name);
    if (lower.ends_with(".json") || lower.ends_with(".md") || lower.ends_with(".txt")) continue;
    if (lower.starts_with("ggml") && lower.ends_with(".bin")) {
      return fmt::format("{} is a GGML file, which is not read; {}", quote(name), kTakeOthers);
    }
    const bool safetensors = lower.find(".safetensors") != std::string::npos;
    const bool torch =
        lower.find("model") != std::string::npos && lower.find(".bin") != std::string::npos;
    if (!safetensors && !torch) continue;
    return fmt::format("holds {}; call it {} if it holds the model's weights", quote(name),
                       safetensors ? "model.safetensors" : "pytorch_model.bin");
  }
  for (const std::string& name : directory.names()) {
    for (const std::string_view file : {"model.safetensors", "pytorch_model.bin"}) {
      if (!directory.contains(fmt::format("{}/{}", name, file))) continue;
      return fmt::format("holds its weights in a folder, {}; move them up beside config.json",
                         quote(name));
    }
  }
  return std::nullopt;
}

std::optional<std::string> odd_file(const std::string& name) {
  const std::vector<std::string> one{name};
  if (ending_with(one, kUnfinished)) {
    return "is an unfinished download; finish it or download the file again";
  }
  for (const Ending& format : kOtherFormats) {
    if (!ending_with(one, std::array{format.ending})) continue;
    return fmt::format("{}; {}", format.clause, kTakeOthers);
  }
  if (ending_with(one, kArchives)) return "is an archive; unpack it";
  return std::nullopt;
}

std::optional<std::string> detect_directory_kind(const Directory& directory) {
  const std::vector<std::string> names = directory.names();
  if (names.empty()) return "is empty";
  if (const auto program = other_program(names)) return program;
  if (const auto below = model_below(directory, names)) return below;
  if (const auto file = ending_with(names, kUnfinished)) {
    return fmt::format("holds an unfinished download, {}; finish it or download it again",
                       quote(file->first));
  }
  for (const Ending& format : kOtherFormats) {
    if (const auto file = ending_with(names, std::array{format.ending})) {
      return fmt::format("{} {}; {}", quote(file->first), format.clause, kTakeOthers);
    }
  }
  if (const auto file = ending_with(names, kArchives)) {
    return fmt::format("holds {}; unpack it", quote(file->first));
  }
  if (const auto file = ending_with(names, kTorchFiles)) {
    return fmt::format("holds {}; call it pytorch_model.bin if it holds the model's weights",
                       quote(file->first));
  }
  return std::nullopt;
}

std::optional<ShardName> parse_shard_name(std::string_view name) {
  // <stem>-NNNNN-of-NNNNN<suffix>
  constexpr size_t kDigits = 5, kLength = 2 * kDigits + 5;
  const size_t dot = name.rfind('.');
  if (dot == std::string_view::npos || dot < kLength) return std::nullopt;
  const std::string_view middle = name.substr(dot - kLength, kLength);
  if (middle[0] != '-' || middle.substr(1 + kDigits, 4) != "-of-") return std::nullopt;
  const auto number = [](std::string_view digits) -> std::optional<int64_t> {
    int64_t value = 0;
    for (const char c : digits) {
      if (c < '0' || c > '9') return std::nullopt;
      value = 10 * value + (c - '0');
    }
    return value;
  };
  const auto part = number(middle.substr(1, kDigits)), parts = number(middle.substr(10, kDigits));
  if (!part || !parts || *part < 1 || *part > *parts) return std::nullopt;
  return ShardName{std::string(name.substr(0, dot - kLength)), *part, *parts,
                   std::string(name.substr(dot))};
}

std::string shard_name(const ShardName& like, int64_t part) {
  return fmt::format("{}-{:05}-of-{:05}{}", like.stem, part, like.parts, like.suffix);
}

std::optional<std::string> unfinished_download(const Directory& directory,
                                               const std::string& name) {
  for (const std::string_view ending : kUnfinished) {
    const std::string note = name + std::string(ending);
    if (directory.contains(note)) return note;
  }
  return std::nullopt;
}

}  // namespace bifrons
