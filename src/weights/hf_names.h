// The two published naming schemes of the tensors (docs/janus-pro.md 2.3).
#pragma once

#include <string>
#include <string_view>

namespace bifrons {

// Converts the original name of a tensor to its Hugging Face name, for tensors that map one to one
// (all except SigLIP's merged qkv, attn_pool.* and quantize.codebook_used).
// "language_model.model.norm.weight" -> "model.language_model.norm.weight".
std::string hugging_face_name(std::string_view original);

}  // namespace bifrons
