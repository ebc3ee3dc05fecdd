// Shaping with HarfBuzz. FriBidi orders the runs (the Unicode bidirectional algorithm, UAX 9).
#include <fribidi.h>
#include <hb.h>

#include <algorithm>
#include <memory>
#include <new>

#include "vision/pictures/shaping.h"

namespace bifrons {
namespace {

// Code points [begin, end) with the same direction, script and font.
struct Run {
  size_t begin, end;
  FriBidiLevel level;
  hb_script_t script;
  size_t font;
};

std::vector<FriBidiLevel> levels_of(std::span<const int> points) {
  const std::vector<FriBidiChar> text(points.begin(), points.end());
  const auto n = static_cast<FriBidiStrIndex>(text.size());
  std::vector<FriBidiCharType> types(text.size());
  std::vector<FriBidiBracketType> brackets(text.size());
  std::vector<FriBidiLevel> levels(text.size());
  fribidi_get_bidi_types(text.data(), n, types.data());
  fribidi_get_bracket_types(text.data(), n, types.data(), brackets.data());
  FriBidiParType direction = FRIBIDI_PAR_ON;  // of the first letter with a direction
  if (fribidi_get_par_embedding_levels_ex(types.data(), brackets.data(), n, &direction,
                                          levels.data()) == 0) {
    throw std::bad_alloc();  // the only way it can fail
  }
  return levels;
}

std::vector<Run> runs_of(std::span<const int> points, const FontList& fonts) {
  const std::vector<FriBidiLevel> levels = levels_of(points);
  hb_unicode_funcs_t* unicode = hb_unicode_funcs_get_default();
  std::vector<Run> runs;
  for (size_t i = 0; i < points.size(); ++i) {
    hb_script_t script = hb_unicode_script(unicode, static_cast<hb_codepoint_t>(points[i]));
    size_t font = fonts.font_of(points[i]);
    const bool shared = script == HB_SCRIPT_COMMON || script == HB_SCRIPT_INHERITED;
    if (shared && !runs.empty()) {
      // Spaces, signs and accents belong to the run of the letters before them.
      script = runs.back().script;
      const size_t before = runs.back().font;
      if (before < fonts.count() && fonts.glyph_of(before, points[i]) != 0) font = before;
    }
    if (!runs.empty() && runs.back().level == levels[i] && runs.back().script == script &&
        runs.back().font == font) {
      runs.back().end = i + 1;
    } else {
      runs.push_back({i, i + 1, levels[i], script, font});
    }
  }
  return runs;
}

// Rule L2 of UAX 9: from the highest level down, reverse every sequence of runs at that level or
// above.
void put_in_order(std::vector<Run>& runs) {
  FriBidiLevel highest = 0;
  for (const Run& run : runs) highest = std::max(highest, run.level);
  for (; highest > 0; --highest) {
    for (auto begin = runs.begin(); begin != runs.end();) {
      const auto inside = [&](const Run& run) { return run.level >= highest; };
      begin = std::find_if(begin, runs.end(), inside);
      const auto end = std::find_if_not(begin, runs.end(), inside);
      std::reverse(begin, end);
      begin = end;
    }
  }
}

void shape(std::vector<PlacedGlyph>& line, const Run& run, std::span<const int> points,
           const FontList& fonts) {
  const std::span<const uint8_t> file = fonts.file(run.font);
  const std::unique_ptr<hb_blob_t, decltype(&hb_blob_destroy)> blob(
      hb_blob_create(reinterpret_cast<const char*>(file.data()), static_cast<unsigned>(file.size()),
                     HB_MEMORY_MODE_READONLY, nullptr, nullptr),
      hb_blob_destroy);
  const std::unique_ptr<hb_face_t, decltype(&hb_face_destroy)> face(hb_face_create(blob.get(), 0),
                                                                    hb_face_destroy);
  const std::unique_ptr<hb_font_t, decltype(&hb_font_destroy)> font(hb_font_create(face.get()),
                                                                    hb_font_destroy);
  const std::unique_ptr<hb_buffer_t, decltype(&hb_buffer_destroy)> buffer(hb_buffer_create(),
                                                                          hb_buffer_destroy);
  const std::vector<hb_codepoint_t> text(points.begin(), points.end());
  // HarfBuzz gets the whole line, because the letters around a run matter.
  hb_buffer_add_codepoints(buffer.get(), text.data(), static_cast<int>(text.size()),
                           static_cast<unsigned>(run.begin), static_cast<int>(run.end - run.begin));
  hb_buffer_set_direction(buffer.get(), run.level % 2 ? HB_DIRECTION_RTL : HB_DIRECTION_LTR);
  hb_buffer_set_script(buffer.get(), run.script);
  hb_buffer_guess_segment_properties(buffer.get());  // sets the language
  hb_shape(font.get(), buffer.get(), nullptr, 0);
  unsigned count = 0;
  const hb_glyph_info_t* info = hb_buffer_get_glyph_infos(buffer.get(), &count);
  const hb_glyph_position_t* at = hb_buffer_get_glyph_positions(buffer.get(), &count);
  for (unsigned i = 0; i < count; ++i) {
    line.push_back({run.font, static_cast<int>(info[i].codepoint), at[i].x_offset, at[i].y_offset,
                    at[i].x_advance});
  }
}

}  // namespace

std::vector<PlacedGlyph> shaped(std::span<const int> points, const FontList& fonts) {
  if (points.empty()) return {};
  std::vector<Run> runs = runs_of(points, fonts);
  put_in_order(runs);
  std::vector<PlacedGlyph> line;
  for (const Run& run : runs) {
    if (run.font < fonts.count()) shape(line, run, points, fonts);
  }
  return line;
}

bool shapes_scripts() { return true; }

}  // namespace bifrons
