// The bytes of a prompt file or of stdin, read once or several times.
#pragma once

#include <memory>
#include <string>

#include "src/io/directory.h"
#include "src/prompts/prompt_line_reader.h"

namespace bifrons::cli {

class PromptSource {
 public:
  // A path, or "-" for stdin, which is copied to a nameless file when it has to be read again.
  // Throws Error: missing, interrupted.
  PromptSource(const std::string& path, bool read_again);

  // From the start. A pipe gives its bytes to one stream only.
  ByteStream stream();
  // Whether a read would not wait for whoever writes to the pipe.
  bool ready() const;
  int64_t bytes() const { return bytes_; }           // -1: a pipe, unknown
  const std::string& name() const { return name_; }  // for messages: prompts.txt:3

 private:
  void spool();

  UniqueFd file_;
  std::string name_;
  int64_t bytes_ = -1;
};

// The bytes of an open file from where it stands; `name` is for messages.
ByteStream stream_of(std::shared_ptr<UniqueFd> file, std::string name);

}  // namespace bifrons::cli
