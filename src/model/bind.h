// Connects a network's list of weights with the tensors of a model directory.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "kernels/backend.h"
#include "kernels/quantise.h"
#include "kernels/weight_visitor.h"
#include "src/model/config.h"
#include "src/weights/checkpoint.h"

namespace bifrons {

struct NeededTensor {
  std::string name;  // original form
  std::vector<int64_t> shape;
  FewestBits fewest = FewestBits::k16;  // of a matrix of a Linear
};

// The name of the scales of a quantised matrix, ".weight".
inline std::string scale_name(const std::string& weight) { return weight + "_scale"; }

// Collects the tensors that a network needs, in the network's order.
class TensorList : public WeightVisitor {
 public:
  using WeightVisitor::linear;
  void linear(Linear&, std::span<const LinearPart> parts, int64_t in, bool bias, LinearForm form,
              FewestBits fewest) override;
  void convolution(Convolution&, const std::string& name, int64_t out, int64_t in, int64_t kernel,
                   Padding) override;
  void norm(Norm&, const std::string& name, int64_t size, bool bias) override;
  void table(Table&, const std::string& name, int64_t rows, int64_t cols, TableRows) override;
  void positions(Table&, const std::string& name, int64_t rows, int64_t cols) override;

  const std::vector<NeededTensor>& tensors() const { return tensors_; }

 private:
  std::vector<NeededTensor> tensors_;
};

// Finds tensors by their original name in a checkpoint of either naming scheme. Wrappers leave
// their own word before every name ("module." of DataParallel, "_orig_mod." of torch.compile,
// "base_model.model." of peft), and the Hugging Face form may lack its "model.": both are looked
// through.
class PublishedTensors {
 public:
  // Throws Error (data): two models under different prefixes.
  explicit PublishedTensors(const Checkpoint& checkpoint);
  bool hugging_face() const { return hugging_face_; }
  std::string published_name(const std::string& original) const;
  // A published name without what wrappers added, in the form that hugging_face() says; nothing
  // when the name is not of the model.
  std::optional<std::string> own_name(std::string_view published) const;
  const StoredTensor* find(const std::string& original) const;
  // The published tensors (with original names) that form a tensor of the original form: the
  // Hugging Face form splits the tower's merged qkv and has no leading 1 in the shape of its
  // positions.
  std::vector<NeededTensor> pieces_of(const NeededTensor& tensor) const;
  const Checkpoint& checkpoint() const { return checkpoint_; }

 private:
  const Checkpoint& checkpoint_;
  bool hugging_face_ = false;
  std::string prefix_;       // before every name
  bool bare_inner_ = false;  // the Hugging Face form without "model."
};

// Throws Error (data) where there is more to say of tensors, by their published names, than that
// they are missing: a type is not supported, the weights are quantised or an adapter's.
void refuse_other_weights(const PublishedTensors& published, std::span<const std::string> missing,
                          const std::string& directory);

// The formats of linear layers in the files and as they are loaded.
struct LoadFormats {
  LinearFormat in_files = LinearFormat::kStored;
  LinearFormat loaded = LinearFormat::kStored;

  LoadFormats() = default;
  LoadFormats(const Config& config) : in_files(config.in_files), loaded(config.loaded) {}
};

// Throws one Error (data) that names every missing and misshapen tensor and every matrix whose
// columns do not divide into groups, or what refuse_other_weights() throws.
void check_tensors(const PublishedTensors& published, const std::vector<NeededTensor>& needed,
                   const std::string& directory, const LoadFormats& formats = {});

// Room for what is read for one weight, used again for the next. Twice the largest weight is never
// held: what was room for a much larger one is given back first.
class Staging {
 public:
  // Begins anew with so much room; what was taken before is gone.
  void reserve(int64_t bytes);
  // The next `bytes` of it, aligned as vectors like it. `bytes` of all calls together were
  // reserved, each of them rounded up to kUnit.
  std::span<std::byte> take(int64_t bytes);
  static constexpr int64_t kUnit = 64;
  static constexpr int64_t rounded(int64_t bytes) { return (bytes + kUnit - 1) / kUnit * kUnit; }

 private:
  std::unique_ptr<std::byte[]> bytes_;
  int64_t room_ = 0;
  int64_t taken_ = 0;
};

// Loads weights into a backend's layout, tensor by tensor; matrices that are stored in full are
// quantised on the way, if so asked. Call check_tensors first. Throws Error (data) where a file is
// shortened meanwhile, and where numbers that are quantised, or scales, are not finite.
class WeightLoader : public WeightVisitor {
 public:
  // `activation`: the dtype in which the network computes, to which derived weights are rounded.
  WeightLoader(Backend& backend, const PublishedTensors& published, DType activation,
               const LoadFormats& formats = {})
      : backend_(backend), published_(published), activation_(activation), formats_(formats) {}

  using WeightVisitor::linear;
  void linear(Linear& weight, std::span<const LinearPart> parts, int64_t in, bool bias,
              LinearForm form, FewestBits fewest) override;
  void convolution(Convolution& weight, const std::string& name, int64_t out, int64_t in,
                   int64_t kernel, Padding padding) override;
  void norm(Norm& weight, const std::string& name, int64_t size, bool bias) override;
  void table(Table& weight, const std::string& name, int64_t rows, int64_t cols,
             TableRows form) override;
  void positions(Table& weight, const std::string& name, int64_t rows, int64_t cols) override;

 private:
  // A published tensor, by its original name, as a matrix.
  struct Wanted {
    std::string name;
    int64_t rows = 0;
    int64_t cols = 0;
  };
  // Their elements, in that order; valid until the next call.
  std::vector<HostArray> read(std::span<const Wanted> wanted);
  HostArray read(const std::string& name, int64_t rows, int64_t cols);
  // One quantised matrix; `bytes` will hold it.
  QuantisedArray read_quantised(const Wanted& wanted, LinearFormat format,
                                std::vector<std::byte>& bytes);
  QuantisedArray quantise(const Wanted& wanted, LinearFormat format, std::vector<std::byte>& bytes);

  Backend& backend_;
  const PublishedTensors& published_;
  DType activation_;
  LoadFormats formats_;
  std::unique_ptr<Quantiser> quantiser_;  // made when the first matrix is quantised
  Staging staging_;
};

}  // namespace bifrons
