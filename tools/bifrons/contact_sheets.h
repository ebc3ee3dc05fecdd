// Contact sheets of a batch: one for the whole batch (--grid), or one for each line
// (--grid-per-prompt) in the layout that benchmarks read.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "src/batch/job_stream.h"

namespace bifrons::cli {

// A path next to the directory of the batch: its absolute path with `ending`.
std::filesystem::path beside_batch(const std::string& directory, std::string_view ending);

// A PNG of the first 64 pictures in the directory's manifests, in the order of their lines. Empty
// if there are none. Pictures of another size than the first are left out.
std::vector<uint8_t> batch_sheet(const std::string& directory);

// The directory for the sheets of a batch in `directory`: DIR-grids next to it.
std::string line_sheets_directory(const std::string& directory);

// Throws Error (cannot write) if that path exists and is not a directory.
void check_line_sheets_place(const std::string& directory);

class LineSheets {
 public:
  struct Options {
    std::string directory;   // of the batch
    bool overwrite = false;  // also files that are not sheets of ours
    bool metadata = true;    // marks sheets, to distinguish them from other files
    std::function<void(const std::string&)> warn{};
    std::function<bool()> stop{};
  };

  // Adds a picture that the batch requests. Pictures come line by line. The first 64 of each line
  // are used.
  void add(const PictureJob& job);

  // For every line whose pictures are all drawn, writes a sheet without gaps between pictures,
  // named by name_of_line(). Warns about the other lines, and about sheets that do not show all
  // pictures. Returns the number of sheets that exist now. Throws Error: cannot write (also if a
  // file would be replaced that is not a sheet of ours), interrupted.
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
