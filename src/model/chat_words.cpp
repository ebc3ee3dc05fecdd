// The published system prompt (docs/janus-pro.md 5.5); a model directory may replace it.
#include "src/model/chat_words.h"

#include "kernels/error.h"
#include "src/io/directory.h"
#include "src/io/json.h"

namespace bifrons {
namespace {

constexpr int64_t kMostWordsBytes = 1 << 20;
constexpr const char* kProcessorFile = "processor_config.json";

ChatWords published() {
  return {
      "You are a helpful language and vision assistant. You are able to understand the visual "
      "content that the user provides, and assist the user with a variety of tasks using "
      "natural language.",
      "Describe the picture.", "Does this picture show \"{prompt}\"? Answer Yes or No."};
}

}  // namespace

ChatWords parse_chat_words(std::string_view json, const std::string& name) {
  const Json document = Json::parse(json, name, {kMostWordsBytes, 16, 100'000});
  ChatWords words = published();
  const auto take = [&](std::string& word, const char* key) {
    const Json* value = document.find(key);
    if (value != nullptr && !value->is_null()) word = value->text(name + ": " + key);
  };
  take(words.system, "system_prompt");
  take(words.describe_question, "describe_question");
  take(words.match_question, "match_question");
  if (words.match_question.find("{prompt}") == std::string::npos) {
    throw Error(ErrorKind::kData, name + ": match_question does not hold {prompt}");
  }
  return words;
}

ChatWords read_chat_words(const std::string& directory_path) {
  const Directory directory = Directory::open(directory_path);
  if (!directory.contains(kProcessorFile)) return published();
  return parse_chat_words(directory.read_file(kProcessorFile, kMostWordsBytes),
                          directory.shown(kProcessorFile));
}

}  // namespace bifrons
