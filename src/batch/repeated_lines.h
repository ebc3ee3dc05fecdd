// Lines that ask for a picture of an earlier line. It is drawn once, and listed once more for each
// of them, with the line's own columns.
#pragma once

#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

#include "src/prompts/prompt_line.h"
#include "src/store/store.h"

namespace bifrons {

struct RepeatedLine {
  Listing listing;  // what is known before the picture is drawn
  LinePlace place;
  std::string id;
  int64_t index = 0;  // PictureJob::index
};

// The error of such a line whose picture could not be drawn.
std::string fault_of_repeat(const std::string& file_name);

class RepeatedLines {
 public:
  // `store` must outlive it.
  explicit RepeatedLines(Store& store) : store_(store) {}

  // Takes a line that is not listed yet. Now and then lists those whose pictures are listed.
  void add(RepeatedLine line);
  // Lists all lines whose pictures are listed, and returns the others.
  std::vector<RepeatedLine> finish();

 private:
  void list_what_can_be();

  Store& store_;
  std::unordered_multimap<uint64_t, RepeatedLine> waiting_;  // by hash of the file name
  size_t most_ = 4096;  // waiting, before the manifests are read for them
};

}  // namespace bifrons
