// Frames are drawn in a bright colour between two dark lines, so that they stand out anywhere.
#include "tools/bifrons/plan_picture.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <utility>

#include "src/io/paths.h"
#include "src/io/quote.h"
#include "tools/bifrons/fonts.h"
#include "tools/bifrons/options.h"
#include "vision/pictures/picture_file.h"

namespace bifrons::cli {
namespace {

using Colour = std::array<uint8_t, 3>;
constexpr Colour kColours[] = {{255, 80, 80},  {80, 200, 255},  {255, 220, 60},
                               {120, 230, 90}, {255, 130, 230}, {255, 160, 40}};
constexpr Colour kDark = {0, 0, 0};

struct PixelBox {
  int64_t left, top, right, bottom;  // inclusive
};

void set(Picture& picture, int64_t x, int64_t y, const Colour& colour) {
  if (x < 0 || y < 0 || x >= picture.width || y >= picture.height) return;
  std::copy(colour.begin(), colour.end(), picture.rgb.begin() + (y * picture.width + x) * 3);
}

void frame(Picture& picture, const PixelBox& box, const Colour& colour) {
  for (int64_t x = box.left; x <= box.right; ++x) {
    set(picture, x, box.top, colour);
    set(picture, x, box.bottom, colour);
  }
  for (int64_t y = box.top; y <= box.bottom; ++y) {
    set(picture, box.left, y, colour);
    set(picture, box.right, y, colour);
  }
}

void fill(Picture& picture, const PixelBox& box, const Colour& colour) {
  for (int64_t y = box.top; y <= box.bottom; ++y) {
    for (int64_t x = box.left; x <= box.right; ++x) set(picture, x, y, colour);
  }
}

PixelBox shrunk(const PixelBox& box, int64_t by) {
  return {box.left + by, box.top + by, box.right - by, box.bottom - by};
}

PixelBox pixels_of(const PlannedBox& box, const Picture& picture) {
  const auto at = [](double share, int64_t side) {
    return static_cast<int64_t>(std::lround(share * static_cast<double>(side - 1)));
  };
  return {at(box.left, picture.width), at(box.top, picture.height), at(box.right, picture.width),
          at(box.bottom, picture.height)};
}

}  // namespace

Picture picture_with_plan(Picture picture, std::span<const PlannedBox> plan,
                          const Typesetter* typesetter) {
  const int64_t thick = std::max<int64_t>(1, picture.width / 192);
  const int64_t letters = std::max<int64_t>(8, picture.height / 24);
  for (size_t i = 0; i < plan.size(); ++i) {
    const Colour& colour = kColours[i % std::size(kColours)];
    const PixelBox box = pixels_of(plan[i], picture);
    frame(picture, box, kDark);
    for (int64_t n = 1; n <= thick; ++n) {
      const PixelBox inner = shrunk(box, n);
      if (inner.left <= inner.right && inner.top <= inner.bottom) frame(picture, inner, colour);
    }
    if (typesetter == nullptr || plan[i].name.empty()) continue;
    const int64_t left = box.left + thick + 1, top = box.top + thick + 1;
    const int64_t width =
        std::min(typesetter->width(plan[i].name, letters) + 4, picture.width - left);
    fill(picture, {left, top, left + width - 1, top + letters + 3}, colour);
    typesetter->draw(picture, left + 2, top + letters - letters / 5 + 1, plan[i].name, letters);
  }
  return picture;
}

void check_plan_file(const std::string& file, const OutputPlan& plan, bool fits) {
  if (!fits) {
    throw Error(ErrorKind::kUsage, "--show-plan goes with --think or --thought, and one picture");
  }
  format_of_output(file);
  const std::filesystem::path shown = canonical_path(file);
  if (std::any_of(plan.files.begin(), plan.files.end(),
                  [&](const auto& path) { return canonical_path(path) == shown; })) {
    throw Error(ErrorKind::kUsage, "--output and --show-plan both name " + quote(file));
  }
  check_output_file(file, plan.replace);
}

void save_plan(const std::string& file, bool replace, const Picture& picture,
               std::span<const PlannedBox> plan,
               const std::function<void(const std::string&)>& say) {
  std::vector<std::string> names;
  for (const PlannedBox& box : plan) {
    if (!box.name.empty()) names.push_back(box.name);
  }
  std::optional<Typesetter> typesetter;
  try {
    if (!names.empty()) typesetter.emplace(typesetter_for(names, "", environment("HOME")));
  } catch (const Error& error) {
    say(std::string("the boxes have no names: ") + error.what());
  }
  const Picture shown = picture_with_plan(picture, plan, typesetter ? &*typesetter : nullptr);
  save_output(file, replace, encode_picture(shown, format_of_output(file), nullptr));
}

}  // namespace bifrons::cli
