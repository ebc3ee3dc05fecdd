// Loading of lm_head by itself.
#include "src/model/text_head.h"

#include <fmt/format.h>

#include "src/io/quote.h"
#include "src/model/model.h"

namespace bifrons {
namespace {

constexpr const char* kHead = "language_model.lm_head.weight";

}  // namespace

void visit_text_head(Linear& head, const Config& config, WeightVisitor& visitor) {
  visitor.linear(head,
                 config.ties_head ? "language_model.model.embed_tokens" : "language_model.lm_head",
                 config.transformer.vocabulary, config.transformer.hidden, false,
                 LinearForm::kMatrix, config.ties_head ? FewestBits::k16 : FewestBits::k8);
}

Config with_own_head(Config config, const PublishedTensors& published) {
  const bool own = published.find(kHead) != nullptr ||
                   published.checkpoint().find_skipped(published.published_name(kHead)) != nullptr;
  config.ties_head = config.ties_head && !own;
  return config;
}

void check_text_head(const Config& config, const Checkpoint& checkpoint,
                     const std::string& directory) {
  const PublishedTensors published(checkpoint);
  const Config own = with_own_head(config, published);
  if (!own.ties_head && published.find(kHead) == nullptr) {
    throw Error(ErrorKind::kData,
                fmt::format("{}: {} is missing: this model draws but writes no text, so it cannot "
                            "think; give it a thought with --thought",
                            quote(directory), published.published_name(kHead)));
  }
  TensorList needed;
  TextHead(own).visit_weights(needed);
  check_tensors(published, needed.tensors(), directory, own);
}

std::unique_ptr<TextHead> load_text_head(Backend& backend, const Config& config,
                                         const Checkpoint& checkpoint,
                                         const std::string& directory) {
  check_text_head(config, checkpoint, directory);
  const PublishedTensors published(checkpoint);
  const Config own = with_own_head(config, published);
  auto head = std::make_unique<TextHead>(own);
  WeightLoader loader(backend, published, activation_for(weights_dtype(published, directory)), own);
  head->visit_weights(loader);
  checkpoint.verify_unchanged();
  return head;
}

}  // namespace bifrons
