// A TrueType font of three glyphs, built in memory so that the tests need no installed font: an
// empty glyph; A, a square with a curve at the top; B, two copies of A side by side.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "kernels/bytes.h"

namespace bifrons::testing {

struct TinyFont {
  int units = 1000, ascender = 800, descender = -200, advance = 600;
  int part_of_b = 1;  // the glyph that B consists of
  int parts_of_b = 2;
  int empty_contours = 0;  // of A, beside its own

  // Signed 16-bit numbers in two's complement.
  static Bytes words(std::initializer_list<int> values) {
    Bytes out;
    for (const int value : values) append_big(out, static_cast<uint32_t>(value), 2);
    return out;
  }
  static Bytes joined(std::initializer_list<Bytes> parts) {
    Bytes out;
    for (const Bytes& part : parts) append(out, ByteView(part));
    return out;
  }

  Bytes bytes() const {
    // Points (100,0) (500,0) (500,600), the off-curve point (300,900), (100,600).
    const Bytes flags = {1, 1, 1, 0, 1};
    Bytes a = words({1 + empty_contours, 100, 0, 500, 900});
    for (int i = 0; i <= empty_contours; ++i) append(a, ByteView(words({4})));  // the last point
    append(a, ByteView(joined({words({0}), flags, words({100, 400, 0, -200, -200}),
                               words({0, 0, 600, 300, -300})})));
    if (a.size() % 2 != 0) a.push_back(0);
    Bytes b = words({-1, 100, 0, 800, 900});
    for (int i = 0; i < parts_of_b; ++i) {
      append(b, ByteView(words({i + 1 < parts_of_b ? 0x23 : 0x03, part_of_b, 300 * (i % 2), 0})));
    }
    const auto at_a = static_cast<int>(a.size()), at_end = static_cast<int>(a.size() + b.size());
    std::map<std::string, Bytes> tables;
    tables["glyf"] = joined({a, b});
    tables["loca"] = words({0, 0, at_a / 2, at_end / 2});
    tables["head"] = joined({words({1, 0, 1, 0, 0, 0, 0x5f0f, 0x3cf5, 3, units}), Bytes(16, 0),
                             words({0, 0, 800, 900, 0, 8, 2, 0, 0})});
    tables["hhea"] =
        words({1, 0, ascender, descender, 0, advance, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 3});
    tables["maxp"] = words({1, 0, 3, 20, 4, 20, 4, 1, 0, 0, 0, 0, 0, 0, 2, 2});
    tables["hmtx"] = words({advance, 0, advance, 100, advance, 100});
    // One segment from A to B, and the final segment that every map has.
    tables["cmap"] = words(
        {0, 1, 3, 1, 0, 12, 4, 32, 0, 4, 4, 1, 0, 'B', 0xffff, 0, 'A', 0xffff, 1 - 'A', 1, 0, 0});
    Bytes file = joined({words({1, 0, static_cast<int>(tables.size()), 128, 3, 0})});
    auto at = static_cast<uint32_t>(12 + 16 * tables.size());
    for (const auto& [tag, table] : tables) {
      append(file, tag);
      append_big(file, 0, 4);
      append_big(file, at, 4);
      append_big(file, static_cast<uint32_t>(table.size()), 4);
      at += static_cast<uint32_t>((table.size() + 3) & ~size_t{3});
    }
    for (const auto& [tag, table] : tables) {
      append(file, ByteView(table));
      while (file.size() % 4 != 0) file.push_back(0);
    }
    return file;
  }
};

}  // namespace bifrons::testing
