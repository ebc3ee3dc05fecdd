// Tokenizers for the tests, and the results of `tokenizers` for them.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "src/tokenizer/tokenizer.h"

namespace bifrons {

// Path of a file in tests/golden/tokenizer.
std::string golden_path(const std::string& name);
std::string read_file(const std::string& path);

// The small tokenizer that the golden script trained; it is committed next to the goldens.
Tokenizer small_tokenizer();
std::string small_tokenizer_json();

// Results of `tokenizers` for `variant`: "small", "A" (ids of Janus-Pro-7B) or "B" (ids of
// Janus-Pro-1B).
nlohmann::json goldens(const std::string& variant);

// The tokenizer of the variant. A and B are too large to commit: they are read from the directories
// A and B of $BIFRONS_PUBLISHED_TOKENIZERS. nullopt if that is not set.
std::optional<Tokenizer> variant_tokenizer(const std::string& variant);

// The random numbers of the golden script: the upper half of a linear congruential generator.
class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed) {}
  uint64_t below(uint64_t bound) {
    state_ = state_ * 6364136223846793005u + 1442695040888963407u;
    return (state_ >> 33) % bound;
  }

 private:
  uint64_t state_;
};

}  // namespace bifrons
