// Pictures a user names: the file's bytes, then vision/pictures/picture_read.h.
#include "tools/bifrons/picture_input.h"

#include "src/bifrons.h"
#include "src/io/quote.h"
#include "tools/bifrons/streams.h"

namespace bifrons::cli {

std::string picture_bytes(const std::string& path) {
  if (path != "-") return read_file(path, kMostPictureBytes);
  if (stdin_is_terminal()) {
    throw Error(ErrorKind::kUsage,
                "- reads a picture from standard input, which is a terminal; use a pipe");
  }
  return read_stdin(kMostPictureBytes);
}

Picture read_picture_file(const std::string& path, Orientation orientation) {
  const std::string file = picture_bytes(path);
  try {
    return read_picture({reinterpret_cast<const uint8_t*>(file.data()), file.size()}, orientation);
  } catch (const Error& error) {
    throw Error(error.kind(), (path == "-" ? "stdin" : quote(path)) + ": " + error.what());
  }
}

}  // namespace bifrons::cli
