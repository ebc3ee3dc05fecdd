// The weights of the transformer and of the image head, as plain structs.
#pragma once

#include <vector>

#include "kernels/weight_visitor.h"
#include "src/model/config.h"

namespace bifrons {

// D hidden, F intermediate, H heads, G kv heads, d head_dim.
struct LayerWeights {
  Norm attention_norm;   // [D]
  Linear qkv;            // [(H + 2 G) d, D]
  Linear attention_out;  // [D, H d]
  Norm mlp_norm;         // [D]
  Linear gate_up;        // [2 F, D]
  Linear down;           // [D, F]
};

struct TransformerWeights {
  Table token_embedding;  // [vocabulary, D]
  std::vector<LayerWeights> layers;
  Norm final_norm;  // [D]
};

// Hidden states to image codes, and codes to the next input (docs/janus-pro.md 0, 1.2).
struct ImageHeadWeights {
  Linear head_in;        // [image_token_embed, D], bias
  Linear head_out;       // [codebook, image_token_embed], bias
  Table code_embedding;  // [codebook, code_dim]
  Linear aligner_in;     // [gen_aligner_width, code_dim], bias
  Linear aligner_out;    // [D, gen_aligner_width], bias
};

void visit(TransformerWeights& weights, const TransformerConfig& config, WeightVisitor& visitor);
void visit(ImageHeadWeights& weights, const Config& config, WeightVisitor& visitor);

}  // namespace bifrons
