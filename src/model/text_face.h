// The face that sees and speaks: pictures and hidden states to rows and words.
#pragma once

#include <memory>
#include <string>

#include "kernels/backend.h"
#include "kernels/weight_visitor.h"
#include "src/model/bind.h"
#include "src/model/config.h"
#include "vision/tower.h"

namespace bifrons {

// D hidden, W the tower's width.
struct TextFaceWeights {
  Linear aligner_in;   // [D, W], bias
  Linear aligner_out;  // [D, D], bias
  Linear head;         // [vocabulary, D]
};

void visit(TextFaceWeights& weights, const Config& config, WeightVisitor& visitor);

// Everything that understanding needs beside the transformer. Loaded only when it is asked for.
class TextFace {
 public:
  // The config must describe a tower.
  TextFace(const Config& config, DType activation);

  VisionTower& tower() { return tower_; }
  TextFaceWeights& weights() { return weights_; }
  void visit_weights(WeightVisitor& visitor);
  int64_t scratch_bytes() const;
  void allocate(Backend& b);

  // The patches in tower().patches() -> rows [tokens, D] that stand in for a picture's placeholders
  // (docs/janus-pro.md 5.3, 5.4).
  void see(Backend& b, const Tensor& rows);
  // hidden [M, D] after the final norm -> logits f32 [M, vocabulary].
  void read_out(Backend& b, const Tensor& logits, const Tensor& hidden) const;

 private:
  Config config_;
  DType activation_;
  VisionTower tower_;
  TextFaceWeights weights_;
  Buffer inner_;  // [tokens, D]
};

// Throws Error (data) if the model does not see: the directory describes or holds no tower, or its
// tensors do not fit. Reads no weights.
void check_sees(const Config& config, const PublishedTensors& published,
                const std::string& directory);

// Checks and loads it from the directory that the rest of the model came from. Throws what
// check_sees() throws.
std::unique_ptr<TextFace> load_text_face(Backend& backend, const Config& config,
                                         const Checkpoint& checkpoint,
                                         const std::string& directory);

// The same with normally distributed weights of `dtype`, for measuring.
std::unique_ptr<TextFace> random_text_face(Backend& backend, const Config& config, DType dtype,
                                           uint64_t seed);

}  // namespace bifrons
