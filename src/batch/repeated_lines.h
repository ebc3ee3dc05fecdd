// Lines that ask for a picture of an earlier line. The picture is drawn once and listed once more
// for each of these lines, with the line's own columns.
#pragma once

#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

#include "src/prompts/prompt_line.h"
#include "src/store/store.h"

namespace bifrons {

struct RepeatedLine {
  Listing listing;  // known before the picture is drawn
  LinePlace place;
  std::string id;
  int64_t index = 0;  // PictureJob::index
};

// The error of such a line if its picture could not be drawn.
std::string fault_of_repeat(const std::string& file_name);

class RepeatedLines {
 public:
  // `store` must outlive it.
  explicit RepeatedLines(Store& store) : store_(store) {}

  // Adds a line that is not listed yet. From time to time lists the lines whose pictures are
  // listed.
  void add(RepeatedLine line);
  // Lists all lines whose pictures are listed, and returns the others.
  std::vector<RepeatedLine> finish();

 private:
  void list_what_can_be();

  Store& store_;
  std::unordered_multimap<uint64_t, RepeatedLine> waiting_;  // by hash of the file name
  size_t most_ = 4096;  // number of waiting lines before the manifests are read again
};

}  // namespace bifrons
