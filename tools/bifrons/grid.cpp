// `bifrons grid`: one prompt over one or two axes, as a captioned table.
#include <fmt/format.h>

#include <memory>

#include "kernels/utf8.h"
#include "src/io/json.h"
#include "src/io/quote.h"
#include "tools/bifrons/fonts.h"
#include "tools/bifrons/grid_axis.h"
#include "tools/bifrons/grid_record.h"
#include "tools/bifrons/progress_bar.h"
#include "tools/bifrons/session.h"
#include "tools/bifrons/setting_options.h"
#include "tools/bifrons/signals.h"
#include "tools/bifrons/streams.h"
#include "tools/bifrons/think_flags.h"
#include "tools/bifrons/think_only.h"
#include "tools/bifrons/thought_printer.h"
#include "vision/pictures/captioned_grid.h"

namespace bifrons::cli {
namespace {

constexpr size_t kMostCells = 1000;

struct Grid {
  std::string prompt;
  std::string x, y;  // axes, such as cfg=3,5,7; y is optional
  std::string output;
  bool overwrite = false;
  std::string font;
  Settings settings;
  ThinkFlags think;
  bool think_only = false;
  int lanes = 0;
  EngineFlags engine;
  Verbosity verbosity;

  int run() const;
  int write_thoughts() const;
};

struct Table {
  std::vector<DrawRequest> requests;  // in row order
  std::vector<std::string> places;    // of each, JSON members that name its column and row
  GridCaptions captions;
};

Table plan_table(const Grid& grid) {
  DrawRequest base = request_of(grid.settings);
  base.prompt = grid.prompt;
  const Axis across = parse_axis(grid.x, base.prompt);
  Axis down{"", {{}}};  // one row without a caption
  if (!grid.y.empty()) {
    down = parse_axis(grid.y, base.prompt);
    check_axes(across, down, base.prompt);
  }
  Table table;
  table.captions.title = grid.prompt;
  for (const AxisValue& value : across.values) table.captions.columns.push_back(value.caption);
  for (const AxisValue& row : down.values) {
    if (!grid.y.empty()) table.captions.rows.push_back(row.caption);
    for (const AxisValue& column : across.values) {
      std::vector<std::pair<const Axis*, const AxisValue*>> values = {{&across, &column}};
      if (!grid.y.empty()) values.emplace_back(&down, &row);
      table.requests.push_back(cell_request(base, values));
      table.places.push_back(",\"across\":" + json_text(column.caption));
      if (!grid.y.empty()) table.places.back() += ",\"down\":" + json_text(row.caption);
    }
  }
  if (table.requests.size() > kMostCells) {
    throw Error(ErrorKind::kUsage, fmt::format("{} pictures; a grid holds at most {}",
                                               table.requests.size(), kMostCells));
  }
  return table;
}

// Finds, before drawing, the errors that would otherwise appear after it.
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

struct DrawnTable {
  std::vector<Picture> pictures;
  std::vector<std::shared_ptr<const Thought>> thoughts;  // null where a cell does not think
};

DrawnTable draw_table(Engine& engine, const Table& table, int lanes, const Verbosity& verbosity) {
  DrawnTable drawn{std::vector<Picture>(table.requests.size()),
                   std::vector<std::shared_ptr<const Thought>>(table.requests.size())};
  const int64_t tokens = engine.model().image_tokens;
  ProgressBar bar(!verbosity.quiet && stderr_is_terminal(), std::ssize(drawn.pictures) * tokens);
  ThoughtPrinter printer(
      verbosity, [](uint64_t id) { return fmt::format("picture {}", id + 1); },
      [&bar] { bar.clear(); });
  uint64_t next = 0;
  BatchOptions options;
  options.lanes = lanes;
  options.progress = [&bar](const BatchProgress& progress) {
    bar.update(progress.tokens);
    return !stop_requested();
  };
  options.on_thought = [&printer](const ThoughtPiece& piece) { printer.take(piece); };
  const BatchStats stats = engine.draw_batch(
      [&]() -> std::optional<BatchJob> {
        if (next == table.requests.size()) return std::nullopt;
        const uint64_t id = next++;
        return BatchJob{id, table.requests[id]};
      },
      [&](BatchResult result) {
        if (result.error) throw *result.error;
        drawn.pictures[result.id] = std::move(result.drawing->picture);
        drawn.thoughts[result.id] = std::move(result.drawing->thought);
      },
      options);
  if (stats.stopped) throw Error(ErrorKind::kInterrupted, "stopped");
  return drawn;
}

// Each cell's thought, as a line of a prompt file.
int Grid::write_thoughts() const {
  if (!output.empty()) {
    throw Error(ErrorKind::kUsage,
                "--think-only draws nothing and writes to standard output; leave out --output");
  }
  Table table = plan_table(*this);
  EngineSetup setup = engine.setup();
  const auto thinks = think.options(setup.options.model);
  if (!thinks) throw Error(ErrorKind::kUsage, "--think-only goes with --think");
  check_stdout();
  setup.options.planned = planned_pictures(*thinks);
  Engine opened = open_engine(setup, verbosity);
  const auto thinking = opened.thinking(*thinks);
  for (DrawRequest& request : table.requests) request.thinking = thinking;
  const auto written = thoughts_of(opened, table.requests, lanes);
  for (size_t i = 0; i < table.requests.size(); ++i) {
    write_stdout(thought_line(table.requests[i], table.places[i], *written.thoughts[i]));
  }
  return 0;
}

int Grid::run() const {
  if (const auto at = invalid_utf8(prompt + x + y)) {
    throw Error(ErrorKind::kUsage,
                fmt::format("the prompt or an axis is not valid UTF-8 near byte {}", *at));
  }
  if (think_only) return write_thoughts();
  if (output.empty()) throw Error(ErrorKind::kUsage, "--output is required");
  Table table = plan_table(*this);
  EngineSetup setup = engine.setup();
  setup.options.rope = settings.rope.value_or(RopeMode::kF32);
  if (output == "-" || output.ends_with('/')) {
    throw Error(ErrorKind::kUsage,
                "a grid is one file: -o takes a name that ends in .png, .jpg or "
                ".webp, not " +
                    quote(output, 120));
  }
  const PictureFormat format = format_of_output(output);
  check_output_file(output, overwrite);
  check_stdout();
  std::vector<std::string> texts = table.captions.columns;
  texts.insert(texts.end(), table.captions.rows.begin(), table.captions.rows.end());
  texts.push_back(table.captions.title);
  const Typesetter typesetter = typesetter_for(texts, font, environment("HOME"));

  const auto thinks = think.options(setup.options.model);
  if (thinks) setup.options.planned = planned_pictures(*thinks);

  Engine opened = open_engine(setup, verbosity);
  if (thinks) {
    const auto thinking = opened.thinking(*thinks);
    for (DrawRequest& request : table.requests) request.thinking = thinking;
  }
  check_table(opened, table, typesetter, format);
  const DrawnTable drawn = draw_table(opened, table, lanes, verbosity);
  log_speculation(opened.speculation(), verbosity);
  log_decoding(opened.decoding(), verbosity);
  const PictureMetadata metadata =
      describe_grid(table.requests, drawn.thoughts, prompt, table.captions, x, y,
                    setup.options.rope, opened.model(), opened.device());
  const auto file =
      encode_picture(captioned_grid(drawn.pictures, table.captions, typesetter), format, &metadata);
  if (read_picture_info(file).metadata.settings.empty()) {  // a JPEG's texts are limited to 64 KiB
    log(verbosity,
        "the settings of so many pictures do not fit in this kind of file; .png "
        "has room for them");
  }
  write_stdout(save_output(output, overwrite, file).string() + "\n");
  return 0;
}

}  // namespace

void add_grid(CLI::App& app, Chosen& chosen) {
  const auto grid = std::make_shared<Grid>();
  CLI::App& command = add_command(app, "grid", "Draw a table of pictures over one or two axes",
                                  chosen, [grid] { return grid->run(); });
  add_operand(command, "PROMPT", grid->prompt, "The prompt, whatever it begins with");
  add_text(command, "-x,--across", "AXIS", grid->x,
           (axis_examples() +
            ": the first word in the prompt is replaced by the others; a value with a comma stands "
            "in double quotes")
               .c_str(),
           {.required = true, .once = true});
  add_text(command, "-y,--down", "AXIS", grid->y, "A second axis", {.once = true});
  add_text(command, "-o,--output", "FILE", grid->output, "File; .png .jpg .webp");
  add_flag(command, "--overwrite", grid->overwrite, "Replace an existing file");
  add_text(command, "--font", "FILE", grid->font, "A TrueType font for the captions");
  add_setting_options(command, grid->settings,
                      "Seed where no axis sets it; -1 is random (default 0)");
  grid->think.add_to(command);
  add_flag(command, "--think-only", grid->think_only,
           "Draw nothing: write the thoughts to stdout, as a prompt file that --think draws from");
  add_lanes(command, grid->lanes);
  grid->engine.add_to(command);
  add_speculate(command, grid->engine.speculate);
  grid->verbosity.add_to(command);
}

}  // namespace bifrons::cli
