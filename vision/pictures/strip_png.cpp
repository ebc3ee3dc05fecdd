// PNG: checks all checksums, the fields of the header, and that the compressed pixels have the size
// that the header says.
#include <zlib.h>

#include <algorithm>
#include <array>

#include "kernels/error.h"
#include "vision/pictures/exif_xmp.h"
#include "vision/pictures/png_chunks.h"
#include "vision/pictures/strip_metadata.h"

namespace bifrons {
namespace {

[[noreturn]] void refuse(std::string_view what) {
  throw Error(ErrorKind::kData, "the PNG file is damaged: " + std::string(what));
}

struct Header {
  int64_t width = 0, height = 0;
  uint32_t depth = 0, colour = 0;
  bool interlaced = false;
};

constexpr uint32_t kGrey = 0, kRgb = 2, kPalette = 3, kGreyAlpha = 4, kRgbAlpha = 6;

Header read_header(const PngChunk& chunk) {
  if (chunk.name != "IHDR" || chunk.data.size() != 13) refuse("it does not begin with a header");
  const ByteView d = chunk.data;
  const Header h{read_big(d, 0, 4), read_big(d, 4, 4), d[8], d[9], d[12] == 1};
  check_picture_size(h.width, h.height);
  const bool deep = h.depth == 8 || h.depth == 16;
  const bool shallow = h.depth == 1 || h.depth == 2 || h.depth == 4;
  const bool known = h.colour == kGrey      ? deep || shallow
                     : h.colour == kPalette ? shallow || h.depth == 8
                     : h.colour == kRgb || h.colour == kGreyAlpha || h.colour == kRgbAlpha ? deep
                                                                                           : false;
  if (!known || d[10] != 0 || d[11] != 0 || d[12] > 1) refuse("its header makes no sense");
  return h;
}

int64_t samples_of(uint32_t colour) {
  return colour == kRgb ? 3 : colour == kGreyAlpha ? 2 : colour == kRgbAlpha ? 4 : 1;
}

// Inflates the pixels without storing them, and counts rows and filter bytes.
class PixelCheck {
 public:
  explicit PixelCheck(const Header& h) {
    struct Pass {
      int64_t x, y, step_x, step_y;
    };
    static constexpr std::array<Pass, 7> kPasses = {{{0, 0, 8, 8},
                                                     {4, 0, 8, 8},
                                                     {0, 4, 4, 8},
                                                     {2, 0, 4, 4},
                                                     {0, 2, 2, 4},
                                                     {1, 0, 2, 2},
                                                     {0, 1, 1, 2}}};
    const auto add = [&](const Pass& p) {
      const int64_t width = (h.width - p.x + p.step_x - 1) / p.step_x;
      const int64_t height = (h.height - p.y + p.step_y - 1) / p.step_y;
      if (width <= 0 || height <= 0) return;
      rows_.push_back({1 + (width * samples_of(h.colour) * h.depth + 7) / 8, height});
    };
    if (h.interlaced) {
      for (const Pass& pass : kPasses) add(pass);
    } else {
      add({0, 0, 1, 1});
    }
    if (inflateInit(&stream_) != Z_OK) throw std::bad_alloc();
  }
  PixelCheck(const PixelCheck&) = delete;
  PixelCheck& operator=(const PixelCheck&) = delete;
  ~PixelCheck() { inflateEnd(&stream_); }

  void take(ByteView compressed) {
    stream_.next_in = const_cast<Bytef*>(compressed.data());  // zlib does not write to it
    stream_.avail_in = static_cast<uInt>(compressed.size());
    std::array<uint8_t, 1 << 15> block;
    while (!ended_) {
      stream_.next_out = block.data();
      stream_.avail_out = static_cast<uInt>(block.size());
      const int result = inflate(&stream_, Z_NO_FLUSH);
      if (result == Z_MEM_ERROR) throw std::bad_alloc();
      if (result != Z_OK && result != Z_STREAM_END && result != Z_BUF_ERROR) {
        refuse("its pixels cannot be decompressed");
      }
      count({block.data(), block.size() - stream_.avail_out});
      ended_ = result == Z_STREAM_END;
      if (stream_.avail_in == 0 && stream_.avail_out != 0) break;
    }
  }

  void finish() const {
    if (!ended_ || pass_ < rows_.size()) refuse("it has fewer pixels than its header says");
  }

 private:
  struct Rows {
    int64_t bytes, left;
  };

  void count(ByteView bytes) {
    for (size_t i = 0; i < bytes.size();) {
      if (pass_ == rows_.size()) refuse("it has more pixels than its header says");
      Rows& rows = rows_[pass_];
      if (at_ == 0 && bytes[i] > 4) refuse("an unknown filter");
      const size_t n = std::min<size_t>(rows.bytes - at_, bytes.size() - i);
      i += n;
      at_ += static_cast<int64_t>(n);
      if (at_ < rows.bytes) continue;
      at_ = 0;
      if (--rows.left == 0) ++pass_;
    }
  }

  z_stream stream_ = {};
  bool ended_ = false;
  std::vector<Rows> rows_;
  size_t pass_ = 0;
  int64_t at_ = 0;  // bytes of the current row read so far
};

// Entries missing in the file are black, so every index is valid.
Bytes full_palette(ByteView stored, const Header& h) {
  if (stored.empty() || stored.size() % 3 != 0 || stored.size() > (size_t{3} << h.depth)) {
    refuse("its palette does not fit");
  }
  Bytes palette(stored.begin(), stored.end());
  palette.resize(size_t{3} << h.depth);
  return palette;
}

// Converts grey with one transparent value into a palette of greys, for which every decoder gives
// an alpha channel. The picture is the same, and the compressed pixels do not change.
void become_palette(Header& h, uint32_t key, Bytes& palette, Bytes& alpha) {
  const uint32_t shades = 1u << h.depth;
  for (uint32_t i = 0; i < shades; ++i) {
    palette.insert(palette.end(), 3, static_cast<uint8_t>(i * 255 / (shades - 1)));
  }
  alpha.assign(shades, 255);
  if (key < shades) alpha[key] = 0;
  h.colour = kPalette;
}

Bytes header_bytes(const Header& h) {
  Bytes out;
  append_big(out, static_cast<uint32_t>(h.width), 4);
  append_big(out, static_cast<uint32_t>(h.height), 4);
  out.insert(out.end(), {static_cast<uint8_t>(h.depth), static_cast<uint8_t>(h.colour), 0, 0,
                         static_cast<uint8_t>(h.interlaced)});
  return out;
}

}  // namespace

StrippedPicture strip_png(ByteView file) {
  if (!starts_with(file, 0, kPngSignature)) refuse("wrong first bytes");
  size_t at = kPngSignature.size();
  Header h = read_header(next_png_chunk(file, at));
  StrippedPicture bare{.format = PictureFormat::kPng, .width = h.width, .height = h.height};
  Bytes palette, alpha, pixels;
  PixelCheck check_pixels(h);
  bool after_pixels = false;
  for (PngChunk chunk = next_png_chunk(file, at); chunk.name != "IEND";
       chunk = next_png_chunk(file, at)) {
    const bool first = pixels.empty();
    if (chunk.name == "IDAT") {
      if (after_pixels) refuse("its pixels are torn apart");
      check_pixels.take(chunk.data);
      append_png_chunk(pixels, "IDAT", chunk.data);
      continue;
    }
    after_pixels = !first;
    if (chunk.name == "PLTE" && h.colour == kPalette) {
      if (!first || !palette.empty()) refuse("its palette is in the wrong place");
      palette = full_palette(chunk.data, h);
    } else if (chunk.name == "tRNS") {
      const bool fits = h.colour == kPalette
                            ? !palette.empty() && chunk.data.size() <= palette.size() / 3
                        : h.colour == kGrey ? chunk.data.size() == 2
                        : h.colour == kRgb  ? chunk.data.size() == 6
                                            : false;
      if (!fits || !first || !alpha.empty() || chunk.data.empty()) {
        refuse("its transparency does not fit");
      }
      alpha.assign(chunk.data.begin(), chunk.data.end());
    } else if (chunk.name == "eXIf") {
      bare.orientation = exif_orientation(chunk.data);
    } else if (chunk.name[0] >= 'A' && chunk.name[0] <= 'Z' && chunk.name != "PLTE") {
      refuse("a part that is needed is of an unknown kind");
    }
  }
  check_pixels.finish();
  if (h.colour == kPalette && palette.empty()) refuse("it has no palette");
  if (h.colour == kGrey && !alpha.empty()) {
    const uint32_t key = read_big(alpha, 0, 2);
    alpha.clear();  // 16-bit grey: the one transparent value stays opaque
    if (h.depth <= 8) become_palette(h, key, palette, alpha);
  }

  append(bare.file, kPngSignature);
  append_png_chunk(bare.file, "IHDR", header_bytes(h));
  if (!palette.empty()) append_png_chunk(bare.file, "PLTE", palette);
  if (!alpha.empty()) append_png_chunk(bare.file, "tRNS", alpha);
  append(bare.file, ByteView(pixels));
  append_png_chunk(bare.file, "IEND", {});
  return bare;
}

}  // namespace bifrons
