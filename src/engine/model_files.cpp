// Lists the files of a model directory: each is opened by the reader that a load would use.
#include "src/engine/model_files.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <string_view>

#include "kernels/error.h"
#include "src/io/directory.h"
#include "src/io/file_kind.h"
#include "src/io/json.h"
#include "src/io/quote.h"
#include "src/model/config.h"
#include "src/tokenizer/tokenizer.h"
#include "src/weights/diagnosis.h"
#include "src/weights/mlx.h"
#include "src/weights/safetensors.h"
#include "src/weights/shards.h"
#include "src/weights/torch_file.h"

namespace bifrons {
namespace {

constexpr int64_t kMostConfigBytes = 1 << 20;
constexpr int64_t kMostJson = 32 << 20;

// The texts beside config.json and tokenizer.json that are read if they are there.
constexpr std::string_view kReadTexts[] = {"tokenizer_config.json", "special_tokens_map.json",
                                           "processor_config.json"};

// The clause of an error after the name of the file that it begins with.
std::string clause_of(const Error& error, const std::string& shown) {
  std::string text = error.what();
  if (text.starts_with(shown + ": ")) text.erase(0, shown.size() + 2);
  return text;
}

class FileList {
 public:
  explicit FileList(const std::string& path) : directory_(Directory::open(path)), path_(path) {
    try {
      weights_ = find_weight_files(directory_);
    } catch (const Error& error) {
      no_weights_ = error.what();
    }
  }

  std::vector<ModelFile> list() const {
    std::vector<ModelFile> files;
    for (const std::string& name : directory_.names()) files.push_back(file_named(name));
    for (const char* name : {"config.json", "tokenizer.json"}) {
      if (directory_.contains(name)) continue;
      files.push_back({name, 0, "", "is missing; download it", true, true});
    }
    if (!weights_) files.push_back({"the weights", 0, "", no_weights_, true, true});
    return files;
  }

 private:
  // Whether a load reads the file as weights. If there is no whole set, all such files count.
  bool holds_weights(const std::string& name) const {
    if (!weights_) return is_safetensors(name) || is_torch(name);
    return std::find(weights_->files.begin(), weights_->files.end(), name) != weights_->files.end();
  }
  static bool is_safetensors(std::string_view name) {
    return name.ends_with(".safetensors") && !name.starts_with("adapter_model.");
  }
  static bool is_torch(std::string_view name) {
    return name.starts_with("pytorch_model") && name.ends_with(".bin");
  }

  ModelFile file_named(const std::string& name) const {
    ModelFile file{name};
    file.needed = name == "config.json" || name == "tokenizer.json" || holds_weights(name) ||
                  (weights_ && weights_->index_name == directory_.shown(name));
    try {
      const File opened = directory_.open_file(name);
      file.bytes = opened.size();
      file.what = what_is(opened, name);
      if (!file.needed && !is_read(name)) file.problem = wrong_kind(opened, name);
    } catch (const Error& error) {
      file.problem = clause_of(error, directory_.shown(name));
      if (weights_ && file.needed && is_safetensors(name) && has_torch_files()) {
        file.problem += "; without it, the .bin files here would be read";
      }
      if (file.problem.find("is a directory") != std::string::npos && !file.needed) {
        file.problem.clear();
        file.what = "a folder, not read";
      }
    }
    return file;
  }

  bool has_torch_files() const {
    const std::vector<std::string> names = directory_.names();
    return std::any_of(names.begin(), names.end(), is_torch);
  }

  static bool is_read(std::string_view name) {
    return std::find(std::begin(kReadTexts), std::end(kReadTexts), name) != std::end(kReadTexts);
  }

  // Opens the file with its reader, and says what it holds.
  std::string what_is(const File& file, const std::string& name) const {
    if (name == "config.json") {
      const Config config = read_config(path_);
      const auto packed = read_mlx_quantization(directory_);
      return fmt::format("configuration, {} form{}",
                         config.form == CheckpointForm::kOriginal ? "original" : "hugging face",
                         packed ? fmt::format(", {}", packed->name()) : "");
    }
    if (name == "tokenizer.json") {
      return fmt::format("vocabulary, {} tokens", Tokenizer::open(path_).size());
    }
    if (holds_weights(name)) {
      const Container container =
          is_safetensors(name) ? read_safetensors(file) : read_torch_file(file);
      return fmt::format("weights, {} tensors", container.tensors.size());
    }
    if (is_read(name)) {
      Json::parse(directory_.read_file(name, kMostJson), directory_.shown(name));
      return "settings";
    }
    if (name.ends_with(".index.json")) return "list of the weights' parts";
    if (name.ends_with(".safetensors") || name.ends_with(".bin")) {
      if (!weights_) return "not read";
      return fmt::format("not read: {} {} read instead", quote(weights_->files[0]),
                         weights_->files.size() == 1 ? "is" : "and the other parts are");
    }
    return "not read";
  }

  // What is wrong with a file that drawing does not need.
  static std::string wrong_kind(const File& file, const std::string& name) {
    if (const auto odd = odd_file(name)) return *odd;
    const std::string front =
        file.read_text(0, std::min<int64_t>(file.size(), static_cast<int64_t>(kMagicBytes)));
    const bool model = name.ends_with(".safetensors") || name.ends_with(".bin");
    const bool json = name.ends_with(".json");
    if (!model && !json) return {};
    if (model && front.starts_with("PK")) return {};  // what torch.save writes
    return detect_file_kind(front, json ? "JSON" : "weights").value_or("");
  }

  Directory directory_;
  std::string path_;
  std::optional<WeightFiles> weights_;
  std::string no_weights_;
};

}  // namespace

bool is_janus(const std::string& directory) {
  try {
    const Directory opened = Directory::open(directory);
    const Json config =
        Json::parse(opened.read_file("config.json", kMostConfigBytes), opened.shown("config.json"));
    const Json* type = config.find("model_type");
    if (type == nullptr || !type->is_string()) return false;
    const std::string& name = type->text("model_type");
    return name == "multi_modality" || name == "janus";
  } catch (const Error&) {
    return false;
  }
}

std::vector<ModelFile> list_model_files(const std::string& directory) {
  return FileList(directory).list();
}

}  // namespace bifrons
