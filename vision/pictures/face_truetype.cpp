// TrueType reader after the OpenType specification: cmap formats 4 and 12, glyf, loca, hmtx. Every
// read is checked against the bounds of its table.
#include <algorithm>
#include <cmath>

#include "kernels/bytes.h"
#include "kernels/error.h"
#include "vision/pictures/font_face.h"
#include "vision/pictures/rasterize_outline.h"

namespace bifrons {
namespace {

constexpr int kDeepestComposite = 8;
constexpr size_t kMostPoints = 50'000;  // per glyph with all its parts

[[noreturn]] void refuse() { throw Error(ErrorKind::kData, "a glyph cannot be read"); }

// Bytes of the file. A read outside of them throws.
class Table {
 public:
  Table() = default;
  explicit Table(ByteView bytes) : bytes_(bytes) {}

  size_t size() const { return bytes_.size(); }
  uint32_t u32(size_t at) const { return read(at, 4); }
  int u16(size_t at) const { return static_cast<int>(read(at, 2)); }
  int i16(size_t at) const { return static_cast<int16_t>(read(at, 2)); }
  int u8(size_t at) const { return static_cast<int>(read(at, 1)); }
  Table part(size_t at, size_t length) const {
    if (at > bytes_.size() || length > bytes_.size() - at) refuse();
    return Table(bytes_.subspan(at, length));
  }
  Table from(size_t at) const { return part(at, at > size() ? 0 : size() - at); }

 private:
  uint32_t read(size_t at, int width) const {
    if (at > bytes_.size() || bytes_.size() - at < static_cast<size_t>(width)) refuse();
    return read_big(bytes_, at, width);
  }
  ByteView bytes_;
};

// Affine transformation of a part in a composite glyph: x' = a x + c y + dx, y' = b x + d y + dy.
struct Placement {
  double a = 1, b = 0, c = 0, d = 1, dx = 0, dy = 0;

  OutlinePoint operator()(const OutlinePoint& p) const {
    return {a * p.x + c * p.y + dx, b * p.x + d * p.y + dy, p.on_curve};
  }
};

class TrueTypeFace final : public FontFace {
 public:
  explicit TrueTypeFace(std::vector<uint8_t> bytes) : FontFace(std::move(bytes)) {}

  // Throws what Table throws.
  bool open() {
    const Table all(file());
    size_t start = 0;
    if (starts_with(file(), 0, "ttcf")) start = all.u32(12);
    const uint32_t magic = all.u32(start);
    if (magic != 0x00010000 && magic != 0x74727565) return false;
    const auto table = [&](std::string_view tag) {
      for (int i = 0; i < all.u16(start + 4); ++i) {
        const size_t record = start + 12 + 16 * static_cast<size_t>(i);
        if (starts_with(file(), record, tag)) {
          return all.part(all.u32(record + 8), all.u32(record + 12));
        }
      }
      refuse();
    };
    const Table head = table("head"), hhea = table("hhea");
    glyf_ = table("glyf");
    loca_ = table("loca");
    hmtx_ = table("hmtx");
    glyphs_ = table("maxp").u16(4);
    wide_offsets_ = head.i16(50) != 0;
    height_ = hhea.i16(4) - hhea.i16(6);
    advances_ = hhea.u16(34);
    choose_map(table("cmap"));
    return height_ > 0 && glyphs_ > 0 && advances_ > 0 && map_.size() > 0 &&
           head.u16(18) <= height_ * kLargestGlyph;
  }

  int glyph_of(int point) const override {
    try {
      const int glyph = map_.u16(0) == 12 ? from_groups(point) : from_segments(point);
      return glyph < glyphs_ ? glyph : 0;
    } catch (const Error&) {
      return 0;
    }
  }

  int advance_of(int glyph) const override {
    const int at = std::min(glyph, advances_ - 1);
    return glyph >= 0 && glyph < glyphs_ && hmtx_.size() >= 4 * static_cast<size_t>(at) + 2
               ? hmtx_.u16(4 * static_cast<size_t>(at))
               : 0;
  }

  int height() const override { return height_; }

  GlyphBitmap draw(int glyph, int64_t size) const override {
    std::vector<Contour> contours;
    size_t points = 0;
    add_glyph(glyph, Placement{}, 0, contours, points);
    const double scale = static_cast<double>(size) / height_;
    const double most = static_cast<double>(size) * kLargestGlyph;
    for (Contour& contour : contours) {
      for (OutlinePoint& p : contour) {
        p.x *= scale;
        p.y *= scale;
        if (!(std::fabs(p.x) <= most && std::fabs(p.y) <= most)) {
          throw Error(ErrorKind::kData, "a glyph is larger than any letter");
        }
      }
    }
    return rasterize_outline(contours);
  }

 private:
  // Chooses a Unicode map. A map of all planes is preferred to a map of the first plane.
  void choose_map(const Table& cmap) {
    for (int i = 0; i < cmap.u16(2); ++i) {
      const size_t record = 4 + 8 * static_cast<size_t>(i);
      const int platform = cmap.u16(record), encoding = cmap.u16(record + 2);
      if (platform != 0 && !(platform == 3 && (encoding == 1 || encoding == 10))) continue;
      const Table map = cmap.from(cmap.u32(record + 4));
      const int format = map.u16(0);
      if (format == 12 || (format == 4 && map_.size() == 0)) map_ = map;
    }
  }

  int from_groups(int point) const {  // format 12
    const auto wanted = static_cast<uint32_t>(point);
    size_t low = 0, high = map_.u32(12);
    while (low < high) {
      const size_t middle = low + (high - low) / 2, group = 16 + 12 * middle;
      if (wanted < map_.u32(group)) {
        high = middle;
      } else if (wanted > map_.u32(group + 4)) {
        low = middle + 1;
      } else {
        return static_cast<int>((map_.u32(group + 8) + (wanted - map_.u32(group))) & 0xffff);
      }
    }
    return 0;
  }

  int from_segments(int point) const {  // format 4
    if (point > 0xffff) return 0;
    const size_t twice = static_cast<size_t>(map_.u16(6)) & ~size_t{1};
    for (size_t i = 0; i < twice; i += 2) {
      if (point > map_.u16(14 + i)) continue;
      const size_t start = 16 + twice + i, delta = start + twice, offset = delta + twice;
      if (point < map_.u16(start)) return 0;
      const int to_array = map_.u16(offset);
      if (to_array == 0) return (point + map_.u16(delta)) & 0xffff;
      const int glyph = map_.u16(offset + static_cast<size_t>(to_array) +
                                 2 * static_cast<size_t>(point - map_.u16(start)));
      return glyph == 0 ? 0 : (glyph + map_.u16(delta)) & 0xffff;
    }
    return 0;
  }

  Table data_of(int glyph) const {
    if (glyph < 0 || glyph >= glyphs_) refuse();
    const auto index = static_cast<size_t>(glyph);
    const auto offset = [&](size_t i) -> size_t {
      return wide_offsets_ ? loca_.u32(4 * i) : 2 * static_cast<size_t>(loca_.u16(2 * i));
    };
    const size_t begin = offset(index), end = offset(index + 1);
    if (end < begin) refuse();
    return glyf_.part(begin, end - begin);
  }

  void add_glyph(int glyph, const Placement& place, int depth, std::vector<Contour>& contours,
                 size_t& points) const {
    const Table data = data_of(glyph);
    if (data.size() == 0) return;  // a blank glyph
    const int count = data.i16(0);
    if (count < 0) return add_parts(data, place, depth + 1, contours, points);
    add_contours(data, static_cast<size_t>(count), place, contours, points);
  }

  static void add_contours(const Table& data, size_t count, const Placement& place,
                           std::vector<Contour>& contours, size_t& points) {
    points += count;  // a contour counts as one point at least, for it may be empty
    if (points > kMostPoints) refuse();
    std::vector<size_t> ends;
    for (size_t i = 0; i < count; ++i) {
      ends.push_back(static_cast<size_t>(data.u16(10 + 2 * i)) + 1);
      if (i > 0 && ends[i] < ends[i - 1]) refuse();
    }
    const size_t total = ends.empty() ? 0 : ends.back();
    points += total - std::min(total, count);
    if (points > kMostPoints) refuse();
    size_t at = 10 + 2 * count;
    at += 2 + static_cast<size_t>(data.u16(at));  // skip the instructions
    std::vector<int> flags;
    while (flags.size() < total) {
      const int flag = data.u8(at++);
      const int more = (flag & 8) != 0 ? data.u8(at++) : 0;
      flags.insert(flags.end(), static_cast<size_t>(more) + 1, flag);
    }
    flags.resize(total);
    const auto coordinates = [&](int is_short, int same) {
      std::vector<int> values;
      int value = 0;
      for (const int flag : flags) {
        if ((flag & is_short) != 0) {
          const int step = data.u8(at++);
          value += (flag & same) != 0 ? step : -step;
        } else if ((flag & same) == 0) {
          value += data.i16(at);
          at += 2;
        }
        values.push_back(value);
      }
      return values;
    };
    const std::vector<int> x = coordinates(2, 16), y = coordinates(4, 32);
    size_t from = 0;
    for (const size_t end : ends) {
      Contour contour;
      for (; from < end; ++from) {
        contour.push_back(place(
            {static_cast<double>(x[from]), static_cast<double>(y[from]), (flags[from] & 1) != 0}));
      }
      if (!contour.empty()) contours.push_back(std::move(contour));
    }
  }

  void add_parts(const Table& data, const Placement& place, int depth,
                 std::vector<Contour>& contours, size_t& points) const {
    if (depth > kDeepestComposite) refuse();
    const auto fraction = [&](size_t at) { return data.i16(at) / 16384.0; };
    size_t at = 10;
    for (int flags = 0x20; (flags & 0x20) != 0;) {
      flags = data.u16(at);
      const int glyph = data.u16(at + 2);
      at += 4;
      Placement part;
      const bool words = (flags & 1) != 0;
      if ((flags & 2) != 0) {  // otherwise points are matched, which is not supported
        part.dx = words ? data.i16(at) : static_cast<int8_t>(data.u8(at));
        part.dy = words ? data.i16(at + 2) : static_cast<int8_t>(data.u8(at + 1));
      }
      at += words ? 4 : 2;
      if ((flags & 0x08) != 0) {
        part.a = part.d = fraction(at);
        at += 2;
      } else if ((flags & 0x40) != 0) {
        part.a = fraction(at);
        part.d = fraction(at + 2);
        at += 4;
      } else if ((flags & 0x80) != 0) {
        part.a = fraction(at);
        part.b = fraction(at + 2);
        part.c = fraction(at + 4);
        part.d = fraction(at + 6);
        at += 8;
      }
      points += 1;  // each part counts at least one, so empty parts cannot nest without end
      if (points > kMostPoints) refuse();
      add_glyph(glyph, under(place, part), depth, contours, points);
    }
  }

  // Composition: first `part`, then `place`.
  static Placement under(const Placement& place, const Placement& part) {
    return {place.a * part.a + place.c * part.b,
            place.b * part.a + place.d * part.b,
            place.a * part.c + place.c * part.d,
            place.b * part.c + place.d * part.d,
            place.a * part.dx + place.c * part.dy + place.dx,
            place.b * part.dx + place.d * part.dy + place.dy};
  }

  Table glyf_, loca_, hmtx_, map_;
  int glyphs_ = 0, advances_ = 0, height_ = 0;
  bool wide_offsets_ = false;
};

}  // namespace

std::unique_ptr<FontFace> open_truetype(std::vector<uint8_t> file) {
  auto face = std::make_unique<TrueTypeFace>(std::move(file));
  try {
    return face->open() ? std::move(face) : nullptr;
  } catch (const Error&) {  // a table is truncated or missing
    return nullptr;
  }
}

}  // namespace bifrons
