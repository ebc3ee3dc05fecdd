// The tokenizers the tests run on, and what `tokenizers` says about them.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "src/tokenizer/tokenizer.h"

namespace bifrons {

// A file below tests/golden/tokenizer.
std::string golden_path(const std::string& name);
std::string read_file(const std::string& path);

// The small tokenizer the golden script trained, committed beside its goldens.
Tokenizer small_tokenizer();
std::string small_tokenizer_json();

// What `tokenizers` gives for `variant`: "small", "A" (Janus-Pro-7B's ids) or "B" (Janus-Pro-1B's).
nlohmann::json goldens(const std::string& variant);

// The tokenizer of that variant. A and B are too large to commit: they are looked for in the
// directories A and B of $BIFRONS_PUBLISHED_TOKENIZERS; nothing when it is not set.
std::optional<Tokenizer> variant_tokenizer(const std::string& variant);

// The numbers of the golden script: a linear congruential generator's upper half.
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
