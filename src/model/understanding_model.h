// Multimodal understanding: SigLIP tower and aligner (picture to embeddings), lm_head (hidden
// states to logits).
#pragma once

#include <memory>
#include <string>

#include "kernels/backend.h"
#include "kernels/weight_visitor.h"
#include "src/model/bind.h"
#include "src/model/config.h"
#include "vision/networks/tower.h"

namespace bifrons {

// D hidden, W the tower's width.
struct UnderstandingWeights {
  Linear aligner_in;   // [D, W], bias
  Linear aligner_out;  // [D, D], bias
  Linear head;         // [vocabulary, D]
};

void visit(UnderstandingWeights& weights, const Config& config, WeightVisitor& visitor);

// Everything that understanding needs in addition to the transformer. Loaded only on request.
class UnderstandingModel {
 public:
  // The config must describe a tower.
  UnderstandingModel(const Config& config, DType activation);

  VisionTower& tower() { return tower_; }
  UnderstandingWeights& weights() { return weights_; }
  void visit_weights(WeightVisitor& visitor);
  int64_t scratch_bytes() const;
  void allocate(Backend& b);

  // Encodes the patches in tower().patches() to rows [tokens, D], which replace a picture's
  // placeholders (docs/janus-pro.md 5.3, 5.4).
  void encode_image(Backend& b, const Tensor& rows);
  // hidden [M, D] after the final norm -> logits f32 [M, vocabulary].
  void lm_head(Backend& b, const Tensor& logits, const Tensor& hidden) const;

 private:
  Config config_;
  DType activation_;
  VisionTower tower_;
  UnderstandingWeights weights_;
  Buffer inner_;  // [tokens, D]
};

// Throws Error (data) if the model does not see: the directory does not describe or contain a
// tower, or its tensors do not fit. Reads no weights.
void check_sees(const Config& config, const PublishedTensors& published,
                const std::string& directory);

// Checks and loads the understanding model from the directory of the rest of the model. Throws what
// check_sees() throws.
std::unique_ptr<UnderstandingModel> load_understanding(Backend& backend, const Config& config,
                                                       const Checkpoint& checkpoint,
                                                       const std::string& directory);

// The same with normally distributed weights of `dtype`, for benchmarks.
std::unique_ptr<UnderstandingModel> random_understanding(Backend& backend, const Config& config,
                                                         DType dtype, uint64_t seed);

}  // namespace bifrons
