// The two published naming schemes of the same tensors (docs/janus-pro.md 2.3).
#pragma once

#include <string>
#include <string_view>

namespace bifrons {

// The Hugging Face name of a tensor of the original form, for tensors that map one to one
// (everything but SigLIP's merged qkv, attn_pool.* and quantize.codebook_used).
// "language_model.model.norm.weight" -> "model.language_model.norm.weight".
std::string hugging_face_name(std::string_view original);

}  // namespace bifrons
