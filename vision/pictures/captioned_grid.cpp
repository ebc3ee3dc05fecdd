// Lays out a captioned grid: white background, black captions, pictures copied row by row.
#include "vision/pictures/captioned_grid.h"

#include <algorithm>

#include "kernels/error.h"

namespace bifrons {
namespace {

// Breaks `text` into lines of at most `room` pixels. A word wider than that gets its own line.
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

// Layout of the grid, in pixels.
struct Layout {
  int64_t gap = 0, size = 0, line = 0;  // gap between pictures; height of letters; height of a line
  int64_t left = 0, pitch = 0;          // left edge of the first column; distance of two columns
  int64_t head = 0, top = 0;            // top edge of the column captions; of the first row
  std::vector<std::string> title;
  SheetSize sheet;
};

Layout layout_of(int64_t count, int64_t width, int64_t height, const GridCaptions& captions,
                 const Typesetter& typesetter) {
  const auto columns = static_cast<int64_t>(captions.columns.size());
  check(columns > 0 && count > 0 && count % columns == 0, "captioned_grid: rows are not full");
  Layout at;
  at.gap = std::max<int64_t>(4, width / 48);
  at.size = std::clamp<int64_t>(width / 12, 12, 40);
  at.line = at.size + at.size / 3;
  at.left = at.gap;
  for (const std::string& row : captions.rows) {
    at.left = std::max(at.left, typesetter.width(row, at.size) + 2 * at.gap);
  }
  // A column is at least as wide as its caption.
  int64_t widest = width;
  for (const std::string& column : captions.columns) {
    widest = std::max(widest, typesetter.width(column, at.size));
  }
  at.pitch = widest + at.gap;
  at.sheet.width = at.left + columns * at.pitch;
  at.title = wrapped(captions.title, at.sheet.width - 2 * at.gap, at.size, typesetter);
  at.head = at.gap + std::ssize(at.title) * at.line;
  at.top = at.head + at.line + at.gap;
  at.sheet.height = at.top + count / columns * (height + at.gap);
  return at;
}

}  // namespace

SheetSize captioned_size(int64_t count, int64_t width, int64_t height, const GridCaptions& captions,
                         const Typesetter& typesetter) {
  return layout_of(count, width, height, captions, typesetter).sheet;
}

Picture captioned_grid(std::span<const Picture> pictures, const GridCaptions& captions,
                       const Typesetter& typesetter) {
  check(!pictures.empty(), "captioned_grid: no pictures");
  const int64_t width = pictures[0].width, height = pictures[0].height;
  const Layout at = layout_of(std::ssize(pictures), width, height, captions, typesetter);
  const auto columns = static_cast<int64_t>(captions.columns.size());
  Picture sheet{.width = at.sheet.width, .height = at.sheet.height};
  sheet.rgb.assign(sheet.width * sheet.height * 3, 255);

  for (int64_t i = 0; i < std::ssize(at.title); ++i) {
    typesetter.draw(sheet, at.gap, at.gap + i * at.line + at.size, at.title[i], at.size);
  }
  const int64_t room = at.pitch - at.gap;
  for (int64_t c = 0; c < columns; ++c) {
    const std::string& caption = captions.columns[c];
    const int64_t middle = at.left + c * at.pitch + room / 2;
    typesetter.draw(sheet, middle - typesetter.width(caption, at.size) / 2, at.head + at.size,
                    caption, at.size);
  }
  for (int64_t i = 0; i < std::ssize(pictures); ++i) {
    const int64_t row = i / columns, y = at.top + row * (height + at.gap);
    if (!captions.rows.empty() && i % columns == 0) {
      typesetter.draw(sheet, at.gap, y + height / 2 + at.size / 3, captions.rows[row], at.size);
    }
    check(pictures[i].width == width && pictures[i].height == height,
          "captioned_grid: sizes differ");
    paste(sheet, pictures[i], at.left + i % columns * at.pitch + (room - width) / 2, y);
  }
  return sheet;
}

}  // namespace bifrons
