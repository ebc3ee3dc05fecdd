// Plans the tensors of the copy, writes its safetensors header, and then quantises and copies
// tensor by tensor.
#include "src/engine/quantise_model.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <thread>

#include "kernels/quantise.h"
#include "src/io/directory.h"
#include "src/io/new_directory.h"
#include "src/io/quote.h"
#include "src/model/model.h"
#include "src/model/text_head.h"
#include "src/model/understanding_model.h"
#include "src/weights/checkpoint.h"

namespace bifrons {
namespace {

constexpr int64_t kCopyPiece = 4 << 20;
constexpr int64_t kMostConfig = 1 << 20;
constexpr int64_t kLargestCopied = 64 << 20;  // of the other files

// A tensor of the new file.
struct Entry {
  std::string name;
  std::string type;
  std::vector<int64_t> shape;
  int64_t bytes = 0;
};

// What becomes of one tensor of the model: it is copied, or its values and scales are written.
struct Step {
  const StoredTensor* from = nullptr;
  LinearFormat format = LinearFormat::kStored;
  Entry values;
};

const char* type_name(DType dtype) {
  return dtype == DType::kBf16 ? "BF16" : dtype == DType::kF16 ? "F16" : "F32";
}

// The formats of the matrices that become quantised, by their published names.
std::map<std::string, LinearFormat> formats_of(const Config& config,
                                               const PublishedTensors& published) {
  TensorList list;
  Model(config, DType::kF32).visit_weights(list);
  if (config.tower) {
    UnderstandingModel(with_own_head(config, published), DType::kF32).visit_weights(list);
  }
  std::map<std::string, LinearFormat> formats;
  for (const NeededTensor& tensor : list.tensors()) {
    const LinearFormat format = format_for(config.loaded, tensor.fewest);
    if (format != LinearFormat::kStored) formats[published.published_name(tensor.name)] = format;
  }
  return formats;
}

class Writer {
 public:
  Writer(const Config& config, const Checkpoint& checkpoint, NewDirectory& directory,
         const QuantiseProgress& progress)
      : checkpoint_(checkpoint), directory_(directory), progress_(progress) {
    const auto formats = formats_of(config, PublishedTensors(checkpoint));
    for (const StoredTensor& tensor : checkpoint.tensors()) {
      result_.bytes_before += tensor.bytes;
      const auto at = formats.find(tensor.name);
      plan(tensor, at == formats.end() ? LinearFormat::kStored : at->second);
    }
    // Larger elements first, so that all are aligned in the file.
    std::stable_sort(steps_.begin(), steps_.end(), [](const Step& a, const Step& b) {
      return size_of_element(a.values) > size_of_element(b.values);
    });
  }

  QuantisedModel write() {
    NewFile file = directory_.create("model.safetensors");
    const std::string header = header_text();
    file.write(header);
    write_stored(file);
    file.finish();
    return result_;
  }

 private:
  static int64_t size_of_element(const Entry& entry) {
    return entry.type == "F32" ? 4 : entry.type == "I8" || entry.type == "U8" ? 1 : 2;
  }

  void plan(const StoredTensor& tensor, LinearFormat format) {
    Step step{&tensor, format, {tensor.name, type_name(tensor.dtype), tensor.shape, tensor.bytes}};
    if (format != LinearFormat::kStored) {
      const int64_t rows = tensor.shape[0], cols = tensor.shape[1];
      step.values.type = format == LinearFormat::kInt4 ? "U8" : "I8";
      step.values.shape = {rows, value_bytes(format, cols)};
      step.values.bytes = rows * value_bytes(format, cols);
      scales_.push_back({scale_name(tensor.name),
                         "BF16",
                         {rows, cols / group_of(format)},
                         rows * scale_bytes(format, cols)});
      ++result_.matrices;
    }
    steps_.push_back(std::move(step));
  }

  // The order of the data: what is copied, the scales, the values.
  std::vector<const Entry*> entries() const {
    std::vector<const Entry*> all;
    for (const Step& step : steps_) {
      if (step.format == LinearFormat::kStored) all.push_back(&step.values);
    }
    for (const Entry& entry : scales_) all.push_back(&entry);
    for (const Step& step : steps_) {
      if (step.format != LinearFormat::kStored) all.push_back(&step.values);
    }
    return all;
  }

  std::string header_text() {
    nlohmann::ordered_json header;
    header["__metadata__"] = {{"format", "pt"}};
    int64_t at = 0;
    for (const Entry* entry : entries()) {
      header[entry->name] = {{"dtype", entry->type},
                             {"shape", entry->shape},
                             {"data_offsets", {at, at + entry->bytes}}};
      at += entry->bytes;
    }
    result_.bytes = at;
    std::string text = header.dump();
    text.append((8 - text.size() % 8) % 8, ' ');
    std::string length(8, '\0');
    for (int i = 0; i < 8; ++i) length[i] = static_cast<char>(text.size() >> (8 * i) & 0xff);
    return length + text;
  }

  void write_stored(NewFile& file) {
    for (const Step& step : steps_) {
      if (step.format == LinearFormat::kStored) copy(file, *step.from);
    }
    write_quantised(file);
  }

  void copy(NewFile& file, const StoredTensor& tensor) {
    std::vector<std::byte> piece(static_cast<size_t>(std::min(kCopyPiece, tensor.bytes)));
    for (int64_t done = 0; done < tensor.bytes; done += kCopyPiece) {
      const auto part = std::span(piece).first(std::min(kCopyPiece, tensor.bytes - done));
      checkpoint_.read(tensor, done, part);
      file.write(part);
      step_on(static_cast<int64_t>(part.size()));
    }
  }

  // The scales of all matrices stand before all values, so the file is written at two places.
  void write_quantised(NewFile& file) {
    int64_t scales_at = file.size();
    for (const Entry& entry : scales_) file.skip(entry.bytes);
    for (const Step& step : steps_) {
      if (step.format == LinearFormat::kStored) continue;
      const StoredTensor& tensor = *step.from;
      const HostArray full{room(read_, tensor.bytes).data(), tensor.dtype, tensor.shape[0],
                           tensor.shape[1]};
      checkpoint_.read(tensor, 0, std::span(read_).first(tensor.bytes));
      const auto values = room(values_, step.values.bytes);
      const auto scales = room(of_scales_, full.rows * scale_bytes(step.format, full.cols));
      if (!quantiser_.quantise(full, step.format, values, scales)) {
        throw Error(ErrorKind::kData,
                    fmt::format("tensor {}: holds numbers that are not finite: the weights are "
                                "damaged",
                                quote(tensor.name)));
      }
      file.write_at(scales_at, scales);
      scales_at += static_cast<int64_t>(scales.size());
      file.write(values);
      step_on(tensor.bytes);
    }
  }

  static std::span<std::byte> room(std::vector<std::byte>& bytes, int64_t size) {
    if (static_cast<int64_t>(bytes.size()) < size) bytes.resize(static_cast<size_t>(size));
    return std::span(bytes).first(static_cast<size_t>(size));
  }

  void step_on(int64_t bytes) {
    done_ += bytes;
    if (progress_ && !progress_(done_, result_.bytes_before)) {
      throw Error(ErrorKind::kInterrupted, "stopped");
    }
  }

  const Checkpoint& checkpoint_;
  NewDirectory& directory_;
  const QuantiseProgress& progress_;
  std::vector<Step> steps_;
  std::vector<Entry> scales_;  // in the order of the quantised steps
  std::vector<std::byte> read_, values_, of_scales_;
  Quantiser quantiser_;
  int64_t done_ = 0;
  QuantisedModel result_;
};

// config.json with the record.
std::string config_with_record(const Directory& from, LinearFormat format) {
  auto config = nlohmann::ordered_json::parse(from.read_file("config.json", kMostConfig));
  config["quantization_config"] = {{"quant_method", "bifrons"},
                                   {"version", 1},
                                   {"weights", std::string(name_of(format))},
                                   {"int8_group_size", group_of(LinearFormat::kInt8)},
                                   {"int4_group_size", group_of(LinearFormat::kInt4)}};
  return config.dump(2) + "\n";
}

bool is_of_weights(const std::string& name) {
  return name.ends_with(".safetensors") || name.ends_with(".bin") || name.ends_with(".pth") ||
         name.ends_with(".pt") || name.ends_with(".index.json");
}

// Tokenizer, licence, and whatever else lies beside the weights and is small.
void copy_other_files(const Directory& from, NewDirectory& to) {
  for (const std::string& name : from.names()) {
    if (name == "config.json" || name.starts_with('.') || is_of_weights(name)) continue;
    std::optional<File> file;
    try {
      file.emplace(from.open_file(name));
    } catch (const Error&) {  // a folder, or empty
      continue;
    }
    if (file->size() > kLargestCopied) continue;
    NewFile copy = to.create(name);
    copy.write(file->read_text(0, file->size()));
    copy.finish();
  }
}

}  // namespace

QuantisedModel quantise_model(const std::string& from, const std::string& to, LinearFormat format,
                              const QuantiseProgress& progress) {
  Config config = read_config(from);
  const auto refuse_quantised = [&from](std::string_view name) {
    throw Error(ErrorKind::kData,
                fmt::format("{}: its weights are {} already; quantise the model's full weights",
                            quote(from), name));
  };
  if (config.in_files != LinearFormat::kStored) refuse_quantised(name_of(config.in_files));
  config.loaded = format;
  const Checkpoint checkpoint = Checkpoint::open(from);
  if (!checkpoint.quantisation().empty()) refuse_quantised(checkpoint.quantisation());
  check_model(config, checkpoint, from);
  NewDirectory directory(to);
  checkpoint.verify_checksums(static_cast<int>(std::thread::hardware_concurrency()));
  const QuantisedModel result = Writer(config, checkpoint, directory, progress).write();
  checkpoint.verify_unchanged();
  const Directory files = Directory::open(from);
  copy_other_files(files, directory);
  NewFile record = directory.create("config.json");
  record.write(config_with_record(files, format));
  record.finish();
  directory.publish();
  return result;
}

}  // namespace bifrons
