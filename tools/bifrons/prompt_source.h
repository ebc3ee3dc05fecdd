// The bytes of a prompt file or of stdin. They can be read once or several times.
#pragma once

#include <memory>
#include <string>

#include "src/io/directory.h"
#include "src/prompts/prompt_line_reader.h"

namespace bifrons::cli {

class PromptSource {
 public:
  // A path, or "-" for stdin. If stdin is to be read again, it is copied to an unnamed file. Throws
  // Error: missing, interrupted.
  PromptSource(const std::string& path, bool read_again);

  // A stream from the start. A pipe gives its bytes to only one stream.
  ByteStream stream();
  // Whether a read would return without waiting for the writer of the pipe.
  bool ready() const;
  int64_t bytes() const { return bytes_; }           // -1: unknown (a pipe)
  const std::string& name() const { return name_; }  // for messages: prompts.txt:3

 private:
  void spool();

  UniqueFd file_;
  std::string name_;
  int64_t bytes_ = -1;
};

// The bytes of an open file from its current position. `name` is for messages.
ByteStream stream_of(std::shared_ptr<UniqueFd> file, std::string name);

}  // namespace bifrons::cli
