// All prompts of a batch: from one prompt file, several files, or folders of captions.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "src/prompts/prompt_reader.h"
#include "tools/bifrons/prompt_source.h"

namespace bifrons::cli {

class PromptFiles {
 public:
  // Opens files in the given order. The ending of a file gives its format, otherwise `format` does
  // ("": not given). "-" is stdin. A folder stands for the .txt files in it, sorted by name: each
  // is one prompt, and its picture gets the name of the file. `read_again`: several readers will be
  // opened. Throws Error: usage (no format, stdin twice), missing, data (no .txt in a folder, or
  // too many), interrupted.
  PromptFiles(const std::vector<std::string>& paths, const std::string& format, bool read_again);

  // Reads from the start. `warn` gets messages that begin with the file's name. The reader refers
  // to `this`, which must not be moved.
  PromptReader reader(std::function<void(const std::string&)> warn, bool comments);
  // Throws Error (data) if the header of a table cannot be used. Pipes are not checked.
  void check_headers(bool comments);

  // For messages: the file's name, or the number of files.
  const std::string& name() const { return name_; }
  int64_t bytes() const { return bytes_; }  // of all files; -1: unknown

 private:
  struct Entry {
    std::string path;
    PromptFormat format;
    std::shared_ptr<PromptSource> source;  // null: opened when its turn comes
  };
  void add_folder(const std::string& path);
  void add_file(const std::string& path, const std::string& format, bool read_again, bool keep);
  PromptFile open(const Entry& entry) const;

  std::vector<Entry> entries_;
  bool several_ = false;
  std::string name_;
  int64_t bytes_ = 0;
};

// A path for messages with a colon after it. It is quoted if it contains unusual characters.
std::string shown_path(const std::string& path);

}  // namespace bifrons::cli
