// Contact sheets: rows of pixels are copied, without codec or scaling.
#include "vision/pictures/contact_sheet.h"

#include <algorithm>

#include "kernels/error.h"

namespace bifrons {

Picture contact_sheet(std::span<const Picture> pictures, std::optional<int64_t> wanted_gap) {
  check(!pictures.empty(), "contact_sheet: no pictures");
  const int64_t count = static_cast<int64_t>(pictures.size());
  const int64_t width = pictures[0].width;
  const int64_t height = pictures[0].height;
  const int64_t gap = wanted_gap.value_or(std::max<int64_t>(2, width / 48));
  int64_t columns = 1;
  while (columns * columns < count) ++columns;
  const int64_t rows = (count + columns - 1) / columns;

  Picture sheet;
  sheet.width = columns * (width + gap) - gap;
  sheet.height = rows * (height + gap) - gap;
  sheet.rgb.assign(sheet.width * sheet.height * 3, 255);
  for (int64_t i = 0; i < count; ++i) {
    const Picture& picture = pictures[i];
    check(picture.width == width && picture.height == height, "contact_sheet: sizes differ");
    const int64_t left = i % columns * (width + gap);
    const int64_t top = i / columns * (height + gap);
    for (int64_t y = 0; y < height; ++y) {
      std::copy_n(picture.rgb.begin() + y * width * 3, width * 3,
                  sheet.rgb.begin() + ((top + y) * sheet.width + left) * 3);
    }
  }
  return sheet;
}

}  // namespace bifrons
