// Pictures a user names: the file's bytes, then vision/picture_read.h.
#include "tools/bifrons/picture_input.h"

#include "src/bifrons.h"
#include "src/io/quote.h"
#include "tools/bifrons/streams.h"

namespace bifrons {

Picture read_picture_file(const std::string& path, Orientation orientation) {
  const bool from_stdin = path == "-";
  const std::string file =
      from_stdin ? read_stdin(kMostPictureBytes) : read_file(path, kMostPictureBytes);
  try {
    return read_picture({reinterpret_cast<const uint8_t*>(file.data()), file.size()}, orientation);
  } catch (const Error& error) {
    throw Error(error.kind(), (from_stdin ? "stdin" : quote(path)) + ": " + error.what());
  }
}

}  // namespace bifrons
