// One sheet for every line of a batch: all of its pictures in one file, as benchmarks read them.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "src/batch/job_stream.h"

namespace bifrons::cli {

// Where the sheets of a batch in `directory` go: DIR-grids beside it.
std::string line_sheets_directory(const std::string& directory);

// Throws Error (cannot write) when that is there and no directory.
void check_line_sheets_place(const std::string& directory);

class LineSheets {
 public:
  struct Options {
    std::string directory;   // of the batch
    bool overwrite = false;  // of files that are not sheets of ours
    bool metadata = true;    // sheets say that they are some, and can be told from other files
    std::function<void(const std::string&)> warn{};
    std::function<bool()> stop{};
  };

  // Takes note of the pictures that a batch asks for, line by line, the first 64 of each.
  void add(const PictureJob& job);

  // Writes a sheet of every line whose pictures are all drawn, named by name_of_line(), without
  // gaps; the others are left out, and said, as is how many sheets do not show all pictures.
  // Returns how many sheets there are now. Throws Error: cannot write, also a file that is not from
  // here; interrupted.
  int64_t save(const Options& options) const;

 private:
  struct Line {
    LinePlace place;
    std::string id, name;
    std::vector<std::string> files;
    bool cut = false;  // there are more pictures
  };
  std::vector<Line> lines_;
};

}  // namespace bifrons::cli
