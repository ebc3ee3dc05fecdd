// Tokenizers for the tests, and the results of `tokenizers` for them.
#include "tests/tokenizer/fixture.h"

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <stdexcept>

namespace bifrons {

std::string golden_path(const std::string& name) {
  return std::string(BIFRONS_SOURCE_DIR) + "/tests/golden/tokenizer/" + name;
}

std::string read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw std::runtime_error("cannot open " + path);
  return std::string(std::istreambuf_iterator<char>(file), {});
}

Tokenizer small_tokenizer() { return Tokenizer::open(golden_path("small")); }

std::string small_tokenizer_json() { return read_file(golden_path("small/tokenizer.json")); }

nlohmann::json goldens(const std::string& variant) {
  return nlohmann::json::parse(read_file(golden_path(variant + ".json")));
}

std::optional<Tokenizer> variant_tokenizer(const std::string& variant) {
  if (variant == "small") return small_tokenizer();
  const char* published = std::getenv("BIFRONS_PUBLISHED_TOKENIZERS");
  if (published == nullptr) return std::nullopt;
  return Tokenizer::open(std::string(published) + "/" + variant);
}

}  // namespace bifrons
