// Draws image codes for several pictures side by side: prefill, then one step per code.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "kernels/backend.h"
#include "src/bifrons.h"
#include "src/engine/requests.h"
#include "src/model/image_face.h"
#include "src/model/transformer.h"

namespace bifrons {

class Generator {
 public:
  // All are borrowed and must outlive the generator.
  Generator(Backend& backend, const Config& config, const Transformer& transformer,
            const ImageFace& face, RopeMode rope);

  // Codes of every picture in raster order, [pictures][image_tokens]. A picture's codes do not
  // depend on its neighbours. Throws Error: usage (a prompt too long for the model), data (the
  // weights give not-a-number), interrupted (progress said stop).
  std::vector<std::vector<int32_t>> draw(std::span<const GuidedPrompt> pictures,
                                         const Progress& progress);

 private:
  struct Step;  // per-row and per-picture state on the device
  void reserve(int64_t pictures, int64_t capacity);
  Step make_step(std::span<const GuidedPrompt> pictures);
  void prefill(std::span<const GuidedPrompt> pictures);
  void collect(std::vector<std::vector<int32_t>>& codes, int64_t token);

  Backend& b_;
  const Config& config_;
  const Transformer& transformer_;
  const ImageFace& face_;
  std::vector<float> inverse_frequency_;

  // Grown when a call needs more, kept between calls.
  int64_t pictures_ = 0;
  SequenceMemory memory_;
  TransformerActivations activations_;
  ImageFaceActivations face_activations_;
  Buffer inputs_;  // x [rows, D]
  Buffer rows_;    // i32 ids, slots, positions of prefill rows
};

// Rows that one prefill call takes; longer prompts go in several.
inline constexpr int64_t kPrefillRows = 256;

}  // namespace bifrons
