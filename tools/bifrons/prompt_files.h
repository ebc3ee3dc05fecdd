// Everything a batch is asked to draw: one prompt file, several, and folders of captions.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "src/prompts/prompt_reader.h"
#include "tools/bifrons/prompt_source.h"

namespace bifrons::cli {

class PromptFiles {
 public:
  // Files in the order given, each read as its ending says or else as `format` does ("": not said);
  // "-" is stdin. A folder stands for the .txt files in it by name: each is a prompt, and its
  // picture is called after it. `read_again`: several readers will be asked for. Throws Error:
  // usage (no format, stdin twice), missing, data (no .txt in a folder, or too many), interrupted.
  PromptFiles(const std::vector<std::string>& paths, const std::string& format, bool read_again);

  // Reads from the start. `warn` hears sentences that begin with the file's name. Of `this`,
  // which must stay where it is.
  PromptReader reader(std::function<void(const std::string&)> warn, bool comments);
  // Throws Error (data): the header of a table cannot be used. Pipes are not looked at.
  void check_headers(bool comments);

  // For messages: the file's name, or how many there are.
  const std::string& name() const { return name_; }
  int64_t bytes() const { return bytes_; }  // of all files; -1: unknown

 private:
  struct Entry {
    std::string path;
    PromptFormat format;
    std::shared_ptr<PromptSource> source;  // nothing: opened when it is its turn
  };
  void add_folder(const std::string& path);
  void add_file(const std::string& path, const std::string& format, bool read_again, bool keep);
  PromptFile open(const Entry& entry) const;

  std::vector<Entry> entries_;
  bool several_ = false;
  std::string name_;
  int64_t bytes_ = 0;
};

// A path as messages have it in front of a colon: as it is, or quoted when there is anything odd.
std::string shown_path(const std::string& path);

}  // namespace bifrons::cli
