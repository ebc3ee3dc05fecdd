// White paper, captions in black, pictures copied row by row.
#include "vision/captioned_grid.h"

#include <algorithm>

#include "kernels/error.h"

namespace bifrons {
namespace {

// Lines of words that fit; a word that is wider than the room stands alone.
std::vector<std::string> wrapped(const std::string& text, int64_t room, int64_t size,
                                 const Typesetter& typesetter) {
  std::vector<std::string> lines;
  std::string line;
  for (size_t at = 0; at < text.size();) {
    const size_t blank = std::min(text.find_first_of(" \n\t", at), text.size());
    const std::string word = text.substr(at, blank - at);
    const std::string longer = line.empty() ? word : line + " " + word;
    if (!line.empty() && typesetter.width(longer, size) > room) {
      lines.push_back(line);
      line = word;
    } else {
      line = longer;
    }
    at = blank + 1;
  }
  if (!line.empty()) lines.push_back(line);
  return lines;
}

void paste(Picture& sheet, const Picture& picture, int64_t left, int64_t top) {
  for (int64_t y = 0; y < picture.height; ++y) {
    std::copy_n(picture.rgb.begin() + y * picture.width * 3, picture.width * 3,
                sheet.rgb.begin() + ((top + y) * sheet.width + left) * 3);
  }
}

}  // namespace

Picture captioned_grid(std::span<const Picture> pictures, const GridCaptions& captions,
                       const Typesetter& typesetter) {
  const auto columns = static_cast<int64_t>(captions.columns.size());
  check(columns > 0 && !pictures.empty() && std::ssize(pictures) % columns == 0,
        "captioned_grid: rows are not full");
  const int64_t rows = std::ssize(pictures) / columns;
  const int64_t width = pictures[0].width, height = pictures[0].height;
  const int64_t gap = std::max<int64_t>(4, width / 48);
  const int64_t size = std::clamp<int64_t>(width / 12, 12, 40);
  const int64_t line = size + size / 3;

  int64_t left = gap;
  for (const std::string& row : captions.rows) {
    left = std::max(left, typesetter.width(row, size) + 2 * gap);
  }
  // Columns are as wide as their captions need.
  int64_t pitch = width;
  for (const std::string& column : captions.columns) {
    pitch = std::max(pitch, typesetter.width(column, size));
  }
  Picture sheet;
  sheet.width = left + columns * (pitch + gap);
  const auto title = wrapped(captions.title, sheet.width - 2 * gap, size, typesetter);
  const int64_t head = gap + std::ssize(title) * line;
  const int64_t top = head + line + gap;
  sheet.height = top + rows * (height + gap);
  sheet.rgb.assign(sheet.width * sheet.height * 3, 255);

  for (int64_t i = 0; i < std::ssize(title); ++i) {
    typesetter.draw(sheet, gap, gap + i * line + size, title[i], size);
  }
  for (int64_t c = 0; c < columns; ++c) {
    const int64_t middle = left + c * (pitch + gap) + pitch / 2;
    typesetter.draw(sheet, middle - typesetter.width(captions.columns[c], size) / 2, head + size,
                    captions.columns[c], size);
  }
  for (int64_t r = 0; r < rows; ++r) {
    const int64_t y = top + r * (height + gap);
    if (!captions.rows.empty()) {
      typesetter.draw(sheet, gap, y + height / 2 + size / 3, captions.rows[r], size);
    }
    for (int64_t c = 0; c < columns; ++c) {
      const Picture& picture = pictures[r * columns + c];
      check(picture.width == width && picture.height == height, "captioned_grid: sizes differ");
      paste(sheet, picture, left + c * (pitch + gap) + (pitch - width) / 2, y);
    }
  }
  return sheet;
}

}  // namespace bifrons
