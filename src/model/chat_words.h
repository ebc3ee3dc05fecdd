// The words around a conversation: what a model was trained to read there.
#pragma once

#include <string>
#include <string_view>

namespace bifrons {

struct ChatWords {
  std::string system;             // stands in front of the conversation; may be empty
  std::string describe_question;  // asked when somebody only wants to know what a picture shows
  std::string match_question;     // answered with Yes or No; {prompt} stands for the prompt
};

// Those of the published models, unless DIR/processor_config.json says others under
// "system_prompt", "describe_question" and "match_question" (keys of ours). Throws Error (data).
ChatWords read_chat_words(const std::string& directory);
ChatWords parse_chat_words(std::string_view json, const std::string& name);

}  // namespace bifrons
