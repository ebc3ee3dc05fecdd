// Lines that ask for a picture that a line before them gives: it is drawn once, and listed once
// more for each of them, with what the line brings along.
#pragma once

#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

#include "src/prompts/prompt_line.h"
#include "src/store/store.h"

namespace bifrons {

struct RepeatedLine {
  Listing listing;  // as far as it is known before the picture is there
  LinePlace place;
  std::string id;
  int64_t index = 0;  // PictureJob::index
};

// What is said of such a line whose picture could not be drawn.
std::string fault_of_repeat(const std::string& file_name);

class RepeatedLines {
 public:
  // `store` must outlive it.
  explicit RepeatedLines(Store& store) : store_(store) {}

  // Takes a line that is not listed yet. Once in a while lists those whose pictures are.
  void add(RepeatedLine line);
  // Lists all whose pictures are listed, and gives back the others.
  std::vector<RepeatedLine> finish();

 private:
  void list_what_can_be();

  Store& store_;
  std::unordered_multimap<uint64_t, RepeatedLine> waiting_;  // by hash of the file name
  size_t most_ = 4096;  // waiting, before the manifests are read for them
};

}  // namespace bifrons
