// Codes to pictures: the VQ decoder with its buffers, for one or several pictures in a pass.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "kernels/backend.h"
#include "src/bifrons.h"
#include "vision/networks/vq_decoder.h"

namespace bifrons {

// A decoded picture, or the Error (data) that says why there is none.
struct DecodedPicture {
  Picture picture;
  std::optional<Error> error{};
};

// Not reentrant. A picture never depends on the others of its pass.
class PictureDecoder {
 public:
  // Allocates buffers for one picture. Decoder and backend are borrowed; the decoder is allocated
  // on this backend.
  PictureDecoder(VqDecoder& decoder, Backend& backend);

  // Prepares passes of up to `pictures`: allocates their maps and asks the device with how many a
  // picture keeps its bits (exact_passes()). Without enough memory passes stay as they are. A
  // smaller number than before changes nothing.
  void reserve(int64_t pictures);

  // Decodes codes in raster order, an array for each picture. One whose numbers stop being finite
  // twice has an error.
  std::vector<DecodedPicture> decode(std::span<const std::span<const int32_t>> codes);

  // Decodes one picture of code 0 if nothing was decoded before: what a library lacks is known
  // then.
  void warm_up();

  const DecodeStats& stats() const { return stats_; }

 private:
  // Nothing in the place of a picture whose numbers stop being finite.
  std::vector<std::optional<Picture>> pass(std::span<const std::span<const int32_t>> codes);
  void allocate(int64_t pictures);

  VqDecoder& decoder_;
  Backend& backend_;
  Buffer codes_;                            // i32 [pictures, image tokens]
  Buffer pixels_;                           // u8 [pictures, size, size, 3]
  std::vector<bool> exact_ = {true, true};  // see exact_passes()
  DecodeStats stats_;
  bool warm_ = false;  // something was decoded
};

}  // namespace bifrons
