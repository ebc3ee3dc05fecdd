// The image head of the model (gen_head, gen_embed, gen_aligner): hidden states -> guided logits ->
// image codes -> next input embeddings.
#pragma once

#include "kernels/arena.h"
#include "kernels/backend.h"
#include "src/model/weights.h"

namespace bifrons {

// Activations of one decode step of P pictures of R rows each; R is 2 with plain classifier-free
// guidance. Rows R i to R i + R - 1 are those of picture i, the unconditional one last.
struct ImageHeadActivations {
  Buffer storage;
  Tensor hidden;        // [R P, D], after the final norm
  Tensor inner;         // [R P, image_token_embed]
  Tensor logits;        // f32 [R P, codebook]
  Tensor guided;        // f32 [P, codebook]
  Tensor ids;           // i32 [R P]
  Tensor code;          // [R P, code_dim]
  Tensor aligned;       // [R P, gen_aligner_width]
  int64_t of_each = 2;  // R

  // Views on the parts that the first n pictures use; `storage` stays with the whole.
  ImageHeadActivations first(int64_t n) const;
  // Views on the first n rows of all tensors that have one row for each row of x.
  ImageHeadActivations rows(int64_t n) const;
};

class ImageHead {
 public:
  ImageHead(const Config& config, DType activation) : config_(config), activation_(activation) {}

  ImageHeadWeights& weights() { return weights_; }
  int64_t activation_bytes(int64_t pictures, int64_t rows = 2) const;
  ImageHeadActivations make_activations(Backend& b, int64_t pictures, int64_t rows = 2) const;

  // hidden -> logits -> guided -> ids (docs/janus-pro.md 4.4, steps 2 to 5). guidance f32 [P
  // (R - 1)].
  void sample_codes(Backend& b, const ImageHeadActivations& a, const Tensor& guidance,
                    const SampleControls& controls) const;
  // The same from x [R P, D], the result of the last layer: the last norm comes first. It leaves
  // `hidden` undefined.
  void norm_and_sample(Backend& b, const Tensor& x, const Norm& norm, const ImageHeadActivations& a,
                       const Tensor& guidance, const SampleControls& controls) const;
  // ids -> x [R P, D], the next input (docs/janus-pro.md 4.4, step 6).
  void embed_codes(Backend& b, const Tensor& x, const ImageHeadActivations& a) const;

  // Whether precompute_inputs() is worth its time. On a device it takes as long as a few decode
  // steps. On a host it takes a second or more for a large model, and saves little per step,
  // because the aligner has few weights.
  static bool precomputes_inputs(const Config& config, MemorySpace space);
  // Size in bytes of the table that precompute_inputs() makes.
  static int64_t precomputed_bytes(const Config& config, DType activation);
  // Replaces gen_embed and gen_aligner by a table of the input embedding of every code.
  // embed_codes() gives the same bits afterwards, because rows do not depend on their neighbours.
  void precompute_inputs(Backend& b);

 private:
  ImageHeadActivations lay_out(Arena& arena, int64_t pictures, int64_t rows) const;
  void sample_inner(Backend& b, const ImageHeadActivations& a, const Tensor& guidance,
                    const SampleControls& controls) const;
  void align(Backend& b, const Tensor& x, const ImageHeadActivations& a) const;

  Config config_;
  DType activation_;
  ImageHeadWeights weights_;
  Table inputs_;  // [codebook, D]; empty until precompute_inputs()
};

}  // namespace bifrons
