// The text head (lm_head): hidden states to logits of text tokens. Drawing does without it;
// thinking and understanding need it.
#pragma once

#include <memory>
#include <string>

#include "kernels/backend.h"
#include "kernels/weight_visitor.h"
#include "src/model/bind.h"
#include "src/model/config.h"

namespace bifrons {

// Lists the head [vocabulary, D]: lm_head, or the token embedding where the config ties them.
void visit_text_head(Linear& head, const Config& config, WeightVisitor& visitor);

// The config with ties_head only where the files hold no head of their own, in full or quantised.
Config with_own_head(Config config, const PublishedTensors& published);

class TextHead {
 public:
  explicit TextHead(const Config& config) : config_(config) {}
  void visit_weights(WeightVisitor& visitor) { visit_text_head(head_, config_, visitor); }
  // hidden [M, D] after the final norm -> logits f32 [M, vocabulary].
  void logits(Backend& b, const Tensor& logits, const Tensor& hidden) const {
    b.linear(logits, hidden, head_);
  }

 private:
  Config config_;
  Linear head_;
};

// Throws Error (data): the checkpoint has no head, or one of another shape. Reads no weights.
void check_text_head(const Config& config, const Checkpoint& checkpoint,
                     const std::string& directory);

// Loads the head alone, without the vision tower. Throws what check_text_head() throws.
std::unique_ptr<TextHead> load_text_head(Backend& backend, const Config& config,
                                         const Checkpoint& checkpoint,
                                         const std::string& directory);

}  // namespace bifrons
