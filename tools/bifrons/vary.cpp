// `bifrons vary`: generate, with some of a picture's codes in place of drawn ones.
#include <fmt/format.h>

#include "src/io/quote.h"
#include "src/variation.h"
#include "tools/bifrons/commands.h"
#include "tools/bifrons/picture_input.h"
#include "tools/bifrons/session.h"

namespace bifrons::cli {
namespace {

constexpr double kUsualStrength = 0.5;

// The mask, when one was given.
std::optional<Picture> mask_for(const VaryArguments& arguments, const Picture& picture,
                                Orientation orientation) {
  if (arguments.mask.empty()) return std::nullopt;
  Picture mask = read_picture_file(arguments.mask, orientation);
  if (mask.width != picture.width || mask.height != picture.height) {
    throw Error(ErrorKind::kData,
                fmt::format("{} has {}x{} pixels, but {} has {}x{}; a mask has the picture's size",
                            quote(arguments.mask), mask.width, mask.height, quote(arguments.image),
                            picture.width, picture.height));
  }
  return mask;
}

std::vector<int32_t> kept_of(const VaryArguments& arguments, std::span<const int32_t> tokens,
                             const std::optional<Picture>& mask, uint64_t seed) {
  if (mask) return keep_dark(tokens, *mask);
  if (arguments.keep_rows) return keep_rows(tokens, *arguments.keep_rows);
  return keep_share(tokens, 1 - arguments.strength.value_or(kUsualStrength), seed);
}

}  // namespace

int run(VaryArguments arguments) {
  const Orientation orientation =
      arguments.apply_orientation ? Orientation::kApply : Orientation::kAsStored;
  const Picture picture = read_picture_file(arguments.image, orientation);
  std::optional<Picture> mask = mask_for(arguments, picture, orientation);
  GenerateArguments drawing = std::move(arguments.drawing);
  drawing.settings.fixed = std::vector<int32_t>{};  // those of --like belong to another picture
  const Verbosity verbosity = drawing.verbosity;
  drawing.prepare = [&](Engine& engine, std::vector<DrawRequest>& requests) {
    const int64_t size = engine.model().image_size;
    const std::vector<int32_t> tokens = engine.encode(fitted(picture, size));
    if (mask) mask = fitted(*mask, size);
    for (DrawRequest& request : requests) {
      request.fixed = kept_of(arguments, tokens, mask, request.seed);
    }
    const int64_t kept = kept_tokens(requests.front());
    log(verbosity, fmt::format("keeping {} of {} tokens", kept, tokens.size()));
    if (kept > 0) return;
    for (DrawRequest& request : requests) request.fixed.clear();  // as generate draws it
  };
  return run(std::move(drawing));
}

}  // namespace bifrons::cli
