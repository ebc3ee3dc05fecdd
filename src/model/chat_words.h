// The fixed texts of a conversation: system prompt and standard questions.
#pragma once

#include <string>
#include <string_view>

namespace bifrons {

struct ChatWords {
  std::string system;             // system prompt, first in the conversation; may be empty
  std::string describe_question;  // question that asks what a picture shows
  std::string match_question;     // question to answer with Yes or No about the {prompt}
};

// The texts of the published models, unless DIR/processor_config.json replaces them under
// "system_prompt", "describe_question" and "match_question" (keys of this project). Throws Error
// (data).
ChatWords read_chat_words(const std::string& directory);
ChatWords parse_chat_words(std::string_view json, const std::string& name);

}  // namespace bifrons
