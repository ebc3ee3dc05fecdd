// Connects a network's list of weights with the tensors of a model directory.
#pragma once

#include <string>
#include <vector>

#include "kernels/backend.h"
#include "kernels/weight_visitor.h"
#include "src/weights/checkpoint.h"

namespace bifrons {

struct NeededTensor {
  std::string name;  // original form
  std::vector<int64_t> shape;
};

// Collects what a network needs, in the order it asks.
class TensorList : public WeightVisitor {
 public:
  using WeightVisitor::linear;
  void linear(Linear&, std::span<const LinearPart> parts, int64_t in, bool bias,
              LinearForm form) override;
  void convolution(Convolution&, const std::string& name, int64_t out, int64_t in, int64_t kernel,
                   Padding) override;
  void norm(Norm&, const std::string& name, int64_t size, bool bias) override;
  void table(Table&, const std::string& name, int64_t rows, int64_t cols, TableRows) override;
  void positions(Table&, const std::string& name, int64_t rows, int64_t cols) override;

  const std::vector<NeededTensor>& tensors() const { return tensors_; }

 private:
  std::vector<NeededTensor> tensors_;
};

// Finds tensors by their original name in a checkpoint of either naming scheme.
class PublishedTensors {
 public:
  explicit PublishedTensors(const Checkpoint& checkpoint);
  bool hugging_face() const { return hugging_face_; }
  std::string published_name(const std::string& original) const;
  const StoredTensor* find(const std::string& original) const;
  // The tensors, with original names, that a tensor of the original form is published as: the
  // Hugging Face form splits the tower's merged qkv and has no leading 1 before its positions.
  std::vector<NeededTensor> pieces_of(const NeededTensor& tensor) const;
  const Checkpoint& checkpoint() const { return checkpoint_; }

 private:
  const Checkpoint& checkpoint_;
  bool hugging_face_;
};

// Throws one Error (data) that names every missing and misshapen tensor.
void check_tensors(const PublishedTensors& published, const std::vector<NeededTensor>& needed,
                   const std::string& directory);

// Moves weights into a backend's layout, tensor by tensor, and lets go of the file's pages behind
// it. Call check_tensors first.
class WeightLoader : public WeightVisitor {
 public:
  // `activation` is what the network computes in, and so what derived weights are rounded to.
  WeightLoader(Backend& backend, const PublishedTensors& published, DType activation)
      : backend_(backend), published_(published), activation_(activation) {}

  using WeightVisitor::linear;
  void linear(Linear& weight, std::span<const LinearPart> parts, int64_t in, bool bias,
              LinearForm form) override;
  void convolution(Convolution& weight, const std::string& name, int64_t out, int64_t in,
                   int64_t kernel, Padding padding) override;
  void norm(Norm& weight, const std::string& name, int64_t size, bool bias) override;
  void table(Table& weight, const std::string& name, int64_t rows, int64_t cols,
             TableRows form) override;
  void positions(Table& weight, const std::string& name, int64_t rows, int64_t cols) override;

 private:
  HostArray array(const std::string& name, int64_t rows, int64_t cols) const;
  void release(const std::string& name) const;

  Backend& backend_;
  const PublishedTensors& published_;
  DType activation_;
};

}  // namespace bifrons
