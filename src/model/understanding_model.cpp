// Aligner and lm_head as ops, and the loading of both and of the tower.
#include "src/model/understanding_model.h"

#include <fmt/format.h>

#include "src/io/quote.h"
#include "src/model/model.h"
#include "src/model/text_head.h"

namespace bifrons {
namespace {

const TowerConfig& tower_of(const Config& config) {
  check(config.tower.has_value(), "understanding: the config describes a tower");
  return *config.tower;
}

[[noreturn]] void refuse(const std::string& directory, std::string_view reason) {
  throw Error(ErrorKind::kData,
              fmt::format("{}: this model draws but does not see: {}", quote(directory), reason));
}

}  // namespace

void visit(UnderstandingWeights& weights, const Config& config, WeightVisitor& visitor) {
  const int64_t hidden = config.transformer.hidden;
  visitor.linear(weights.aligner_in, "aligner.layers.0", hidden, tower_of(config).width, true);
  visitor.linear(weights.aligner_out, "aligner.layers.2", hidden, hidden, true);
  visit_text_head(weights.head, config, visitor);
}

UnderstandingModel::UnderstandingModel(const Config& config, DType activation)
    : config_(config), activation_(activation), tower_(tower_of(config), activation) {}

void UnderstandingModel::visit_weights(WeightVisitor& visitor) {
  visit(tower_.weights(), tower_.config(), visitor);
  visit(weights_, config_, visitor);
}

int64_t UnderstandingModel::scratch_bytes() const {
  return tower_.scratch_bytes() +
         tower_.config().tokens() * config_.transformer.hidden * size_of(activation_);
}

void UnderstandingModel::allocate(Backend& b) {
  tower_.allocate(b);
  inner_ = b.allocate(tower_.config().tokens() * config_.transformer.hidden * size_of(activation_));
}

void UnderstandingModel::encode_image(Backend& b, const Tensor& rows) {
  const Tensor inner =
      inner_.view(activation_, {tower_.config().tokens(), config_.transformer.hidden});
  b.linear(inner, tower_.encode(b), weights_.aligner_in);
  b.gelu(inner, inner);
  b.linear(rows, inner, weights_.aligner_out);
}

void UnderstandingModel::lm_head(Backend& b, const Tensor& logits, const Tensor& hidden) const {
  b.linear(logits, hidden, weights_.head);
}

void check_sees(const Config& config, const PublishedTensors& published,
                const std::string& directory) {
  if (!config.tower) refuse(directory, "its config.json describes no vision tower");
  UnderstandingModel understanding(with_own_head(config, published),
                                   activation_for(weights_dtype(published, directory)));
  TensorList needed;
  understanding.visit_weights(needed);
  const NeededTensor first = published.pieces_of(needed.tensors().front()).front();
  if (published.find(first.name) == nullptr) refuse(directory, "its files hold no vision tower");
  check_tensors(published, needed.tensors(), directory, config);
}

std::unique_ptr<UnderstandingModel> load_understanding(Backend& backend, const Config& config,
                                                       const Checkpoint& checkpoint,
                                                       const std::string& directory) {
  const PublishedTensors published(checkpoint);
  check_sees(config, published, directory);
  const DType activation = activation_for(weights_dtype(published, directory));
  auto understanding =
      std::make_unique<UnderstandingModel>(with_own_head(config, published), activation);
  WeightLoader loader(backend, published, activation, config);
  understanding->visit_weights(loader);
  checkpoint.verify_unchanged();
  understanding->allocate(backend);
  return understanding;
}

}  // namespace bifrons
