// Contact sheets of a batch: one of the whole (--grid), or one for each line (--grid-per-prompt),
// as benchmarks read them.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "src/batch/job_stream.h"

namespace bifrons::cli {

// A path beside the batch in `directory`: its absolute path with `ending`.
std::filesystem::path beside_batch(const std::string& directory, std::string_view ending);

// A PNG of the first 64 pictures of the directory's manifests, in the order of their lines; empty
// when there are none. Pictures of another size than the first are left out.
std::vector<uint8_t> batch_sheet(const std::string& directory);

// Where the sheets of a batch in `directory` go: DIR-grids beside it.
std::string line_sheets_directory(const std::string& directory);

// Throws Error (cannot write) when that is there and no directory.
void check_line_sheets_place(const std::string& directory);

class LineSheets {
 public:
  struct Options {
    std::string directory;   // of the batch
    bool overwrite = false;  // of files that are not sheets of ours
    bool metadata = true;    // marks sheets, so that they can be told from other files
    std::function<void(const std::string&)> warn{};
    std::function<bool()> stop{};
  };

  // Adds a picture that the batch asks for. Pictures come line by line; the first 64 of each count.
  void add(const PictureJob& job);

  // Writes a sheet without gaps for every line whose pictures are all drawn, named by
  // name_of_line(). Warns of the other lines, and of sheets that do not show all pictures. Returns
  // how many sheets there are now. Throws Error: cannot write (also over a file that is no sheet of
  // ours), interrupted.
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
