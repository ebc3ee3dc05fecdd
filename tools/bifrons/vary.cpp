// `bifrons vary`: like generate, but some codes are taken from a picture instead of drawn.
#include <fmt/format.h>

#include <memory>

#include "src/io/quote.h"
#include "src/variation.h"
#include "tools/bifrons/generate.h"
#include "tools/bifrons/session.h"

namespace bifrons::cli {
namespace {

constexpr double kUsualStrength = 0.5;
constexpr uint64_t kMostRows = 4096;

constexpr const char* kVaryFooter =
    "The model draws tokens line by line, left to right, each from the prompt and all tokens "
    "before it,\nkept ones included. So it continues what is above and to the left. It cannot "
    "see what is kept below\nor to the right: expect a seam there, and things that do not go on. "
    "Keeping the upper rows is what\nit does best. The kept parts go through the visual "
    "tokenizer too; bifrons reconstruct shows what\nthat alone does to a picture.";

struct Vary : Generate {
  PictureFlags picture;
  std::string mask;  // empty: none
  std::optional<int64_t> keep_rows;
  std::optional<double> strength;

  void check() const;
  int run();
};

// The mask, if one was given.
std::optional<Picture> mask_for(const Vary& vary, const Picture& picture) {
  if (vary.mask.empty()) return std::nullopt;
  Picture mask = read_picture_file(vary.mask, vary.picture.orientation);
  if (mask.width != picture.width || mask.height != picture.height) {
    throw Error(ErrorKind::kData,
                fmt::format("{} has {}x{} pixels, but {} has {}x{}; a mask has the picture's size",
                            quote(vary.mask), mask.width, mask.height, quote(vary.picture.file),
                            picture.width, picture.height));
  }
  return mask;
}

std::vector<int32_t> kept_of(const Vary& vary, std::span<const int32_t> tokens,
                             const std::optional<Picture>& mask, uint64_t seed) {
  if (mask) return keep_dark(tokens, *mask);
  if (vary.keep_rows) return keep_rows(tokens, *vary.keep_rows);
  return keep_share(tokens, 1 - vary.strength.value_or(kUsualStrength), seed);
}

void Vary::check() const {
  if (!prompt && like.empty()) {
    throw Error(ErrorKind::kUsage, "no prompt; say with -p what the picture is to show");
  }
  if (keep_rows.has_value() + strength.has_value() + !mask.empty() > 1) {
    throw Error(ErrorKind::kUsage, "give one of --keep-rows, --mask and --strength");
  }
  if ((picture.file == "-") + (mask == "-") + (prompt == "-") > 1) {
    throw Error(ErrorKind::kUsage, "only one of picture, mask and prompt can come from stdin");
  }
  Generate::check();
}

int Vary::run() {
  check();
  const Picture before = read_picture_file(picture);
  std::optional<Picture> fitted_mask = mask_for(*this, before);
  settings.fixed = std::vector<int32_t>{};  // the codes from --like belong to another picture
  return Generate::run([&](Engine& opened, std::vector<DrawRequest>& requests, const Settings&) {
    const int64_t size = opened.model().image_size;
    const std::vector<int32_t> tokens = opened.encode(fitted(before, size));
    if (fitted_mask) fitted_mask = fitted(*fitted_mask, size);
    for (DrawRequest& request : requests) {
      request.fixed = kept_of(*this, tokens, fitted_mask, request.seed);
    }
    const int64_t kept = kept_tokens(requests.front());
    log(verbosity, fmt::format("keeping {} of {} tokens", kept, tokens.size()));
    if (kept > 0) return;
    for (DrawRequest& request : requests) request.fixed.clear();  // as generate draws it
  });
}

}  // namespace

void add_vary(CLI::App& app, Chosen& chosen) {
  const auto vary = std::make_shared<Vary>();
  CLI::App& command = add_command(app, "vary", "Keep part of a picture and draw the rest again",
                                  chosen, [vary] { return vary->run(); });
  vary->picture.add_to(command);
  add_prompt(command, "-p,--prompt", vary->prompt, "What to draw; - reads it from stdin");
  add_whole(command, "--keep-rows", "K", 0, kMostRows, vary->keep_rows,
            "Keep the upper K rows of tokens (a row is the picture's height over its tokens a "
            "side)");
  add_text(command, "--mask", "FILE", vary->mask,
           "A picture of IMAGE's size: draw where it is white or transparent, keep where it is "
           "black");
  add_value(
      command, "--strength", "X",
      [vary = vary.get()](const std::string& text) {
        vary->strength = parse_real("--strength", text, 0, 1);
      },
      "Draw a random share X of the tokens, chosen by the seed: 0 keeps all, 1 is generate "
      "(default 0.5)");
  vary->add_to(command);
  add_footer(command, kVaryFooter);
}

}  // namespace bifrons::cli
