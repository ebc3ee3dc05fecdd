// The parts of an open engine, and of the understanding on it, that other files of the engine use.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "src/bifrons.h"
#include "src/model/model.h"
#include "src/tokenizer/tokenizer.h"
#include "src/understand.h"

namespace bifrons {

// Borrowed from the engine: valid as long as it lives, at fixed addresses.
struct Engine::Parts {
  const std::string& directory;
  RopeMode rope;
  Backend& backend;
  const Config& config;
  const Tokenizer& tokenizer;
  const Transformer& transformer;
  const ImageHead& image_head;
  int64_t& embedded_rows;  // of all pictures in prompts of spans so far (src/engine/spans.h)
};

class TextDecoder;
class UnderstandingModel;

// A picture prepared for the vision tower.
struct SeenPicture {
  int64_t serial = 0;          // from 1 on; pictures with equal serial are the same picture
  std::vector<float> patches;  // [tokens, 3 patch^2]
};

// Borrowed from the understanding: valid as long as it lives.
struct Understanding::Parts {
  Engine::Parts engine;
  UnderstandingModel& model;
  TextDecoder& decoder;
  int64_t& pictures_seen;  // number of pictures so far, for their serials

  // Scales a picture to the tower's size, pads it and cuts it into patches.
  SeenPicture prepare(const Picture& picture) const;
};

}  // namespace bifrons
