// `bifrons grid`: one prompt over one or two axes, as a captioned table.
#include <fmt/format.h>

#include "kernels/utf8.h"
#include "src/io/quote.h"
#include "src/io/text.h"
#include "tools/bifrons/batch.h"
#include "tools/bifrons/environment.h"
#include "tools/bifrons/fonts.h"
#include "tools/bifrons/grid_axis.h"
#include "tools/bifrons/grid_record.h"
#include "tools/bifrons/model_place.h"
#include "tools/bifrons/progress_bar.h"
#include "tools/bifrons/session.h"
#include "tools/bifrons/signals.h"
#include "tools/bifrons/streams.h"
#include "vision/pictures/captioned_grid.h"

namespace bifrons::cli {
namespace {

constexpr size_t kMostPictures = 1000;

struct Table {
  std::vector<DrawRequest> requests;  // row by row
  GridCaptions captions;
};

Table plan_table(const GridArguments& arguments) {
  DrawRequest base = request_of(arguments.settings);
  base.prompt = arguments.prompt;
  const Axis across = parse_axis(arguments.x, base.prompt);
  Axis down{"", {{}}};  // one row without a caption
  if (!arguments.y.empty()) {
    down = parse_axis(arguments.y, base.prompt);
    check_axes(across, down, base.prompt);
  }
  Table table;
  table.captions.title = arguments.prompt;
  for (const AxisValue& value : across.values) table.captions.columns.push_back(value.caption);
  for (const AxisValue& row : down.values) {
    if (!arguments.y.empty()) table.captions.rows.push_back(row.caption);
    for (const AxisValue& column : across.values) {
      std::vector<std::pair<const Axis*, const AxisValue*>> values = {{&across, &column}};
      if (!arguments.y.empty()) values.emplace_back(&down, &row);
      table.requests.push_back(cell_request(base, values));
    }
  }
  if (table.requests.size() > kMostPictures) {
    throw Error(ErrorKind::kUsage, fmt::format("{} pictures; a grid holds at most {}",
                                               table.requests.size(), kMostPictures));
  }
  return table;
}

// What would fail when everything has been drawn fails here.
void check_table(const Engine& engine, const Table& table, const Typesetter& typesetter,
                 PictureFormat format) {
  for (const DrawRequest& request : table.requests) {
    if (const auto fault = engine.fault_of(request)) throw *fault;
  }
  const auto pictures = static_cast<int64_t>(table.requests.size());
  const int64_t side = engine.model().image_size;
  const SheetSize sheet = captioned_size(pictures, side, side, table.captions, typesetter);
  const int64_t most = format == PictureFormat::kWebp   ? 16'383
                       : format == PictureFormat::kJpeg ? 65'500
                                                        : 1'000'000;
  constexpr int64_t kMostPixels = int64_t{1} << 29;
  if (sheet.width > most || sheet.height > most || sheet.width > kMostPixels / sheet.height) {
    throw Error(
        ErrorKind::kUsage,
        fmt::format("the grid would have {} x {} pixels; a file of this kind holds {} a side "
                    "and {} in all, so take fewer values, shorter captions or .png",
                    sheet.width, sheet.height, most, kMostPixels));
  }
}

std::vector<Picture> draw_table(Engine& engine, const Table& table, int lanes,
                                const Verbosity& verbosity) {
  std::vector<Picture> pictures(table.requests.size());
  const int64_t tokens = engine.model().image_tokens;
  ProgressBar bar(!verbosity.quiet && stderr_is_terminal(), std::ssize(pictures) * tokens);
  uint64_t next = 0;
  BatchOptions options;
  options.lanes = lanes;
  options.progress = [&bar](const BatchProgress& progress) {
    bar.update(progress.tokens);
    return !stop_requested();
  };
  const BatchStats stats = engine.draw_batch(
      [&]() -> std::optional<BatchJob> {
        if (next == table.requests.size()) return std::nullopt;
        const uint64_t id = next++;
        return BatchJob{id, table.requests[id]};
      },
      [&](BatchResult result) {
        if (result.error) throw *result.error;
        pictures[result.id] = std::move(result.drawing->picture);
      },
      options);
  if (stats.stopped) throw Error(ErrorKind::kInterrupted, "stopped");
  return pictures;
}

}  // namespace

int run(GridArguments arguments) {
  if (const auto at = invalid_utf8(arguments.prompt + arguments.x + arguments.y)) {
    throw Error(ErrorKind::kUsage,
                fmt::format("the prompt or an axis is not valid UTF-8 near byte {}", *at));
  }
  const Table table = plan_table(arguments);
  const ModelPlace place = find_model(arguments.model);
  if (arguments.output == "-" || arguments.output.ends_with('/')) {
    throw Error(ErrorKind::kUsage,
                "a grid is one file: -o takes a name that ends in .png, .jpg or "
                ".webp, not " +
                    quote(arguments.output, 120));
  }
  const PictureFormat format = format_of_output(arguments.output);
  check_output_file(arguments.output, arguments.overwrite);
  check_stdout();
  std::vector<std::string> texts = table.captions.columns;
  texts.insert(texts.end(), table.captions.rows.begin(), table.captions.rows.end());
  texts.push_back(table.captions.title);
  const Typesetter typesetter = typesetter_for(texts, arguments.font, environment("HOME"));

  EngineOptions options;
  options.model = place.directory;
  options.device = arguments.device;
  options.threads = arguments.threads;
  options.rope = arguments.settings.rope.value_or(RopeMode::kF32);
  Engine engine = open_engine(options, place.built_in, arguments.verbosity);
  check_table(engine, table, typesetter, format);
  const auto pictures = draw_table(engine, table, arguments.lanes, arguments.verbosity);
  const PictureMetadata metadata =
      describe_grid(table.requests, arguments.prompt, table.captions, arguments.x, arguments.y,
                    options.rope, engine.model(), engine.device());
  const auto file =
      encode_picture(captioned_grid(pictures, table.captions, typesetter), format, &metadata);
  if (read_picture_info(file).metadata.settings.empty()) {  // a JPEG's texts end at 64 KiB
    log(arguments.verbosity,
        "the settings of so many pictures do not fit in this kind of file; .png "
        "has room for them");
  }
  write_stdout(save_output(arguments.output, arguments.overwrite, file).string() + "\n");
  return 0;
}

}  // namespace bifrons::cli
