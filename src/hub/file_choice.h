// Which files of a repository a model needs.
#pragma once

#include <string>
#include <vector>

#include "src/hub/hub_client.h"

namespace bifrons::hub {

// Patterns of a shell (* ? [...]); a * also stands for slashes, as in Hugging Face's own tools.
struct FileChoice {
  std::vector<std::string> include;  // empty: what a model needs
  std::vector<std::string> exclude;
};

// Without patterns: configuration, tokenizer, licence and README, and the weights as safetensors
// or, where there are none, as PyTorch files. Throws Error (missing) if no file is left, or if it
// would be a model without config.json or weights.
std::vector<RemoteFile> choose_files(const Listing& listing, const FileChoice& choice);

}  // namespace bifrons::hub
