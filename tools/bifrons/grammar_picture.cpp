// The options of the commands that take pictures apart: vary, encode and reconstruct.
#include "src/io/text.h"
#include "tools/bifrons/grammar.h"

namespace bifrons::cli {
namespace {

constexpr const char* kPicture =
    "A PNG, JPEG or WebP file; - is stdin. Of another size than the model's the short side is "
    "scaled "
    "to it (bicubic), of the long side the middle is taken";
constexpr uint64_t kMostRows = 4096;

void add_orientation(CLI::App& command, bool& apply) {
  command.add_flag("--apply-orientation", apply,
                   "Turn pictures as their EXIF data ask; the reference does not");
}

void add_vary(Grammar& grammar) {
  VaryArguments& vary = grammar.vary;
  CLI::App& command =
      *grammar.app.add_subcommand("vary", "Keep part of a picture and draw the rest again");
  command.add_option("IMAGE", vary.image, kPicture)->required();
  command.add_option("-p,--prompt", grammar.varied_prompt, "What to draw; - reads it from stdin")
      ->type_name("TEXT");
  command
      .add_option_function<std::string>(
          "--keep-rows",
          [&vary](const std::string& text) {
            vary.keep_rows = static_cast<int64_t>(parse_whole("--keep-rows", text, 0, kMostRows));
          },
          "Keep the upper K rows of tokens (a row is the picture's height over its tokens a side)")
      ->type_name("K");
  command
      .add_option("--mask", vary.mask,
                  "A picture of IMAGE's size: draw where it is white or transparent, keep where it "
                  "is black")
      ->type_name("FILE");
  command
      .add_option_function<std::string>(
          "--strength",
          [&vary](const std::string& text) {
            vary.strength = parse_real("--strength", text, 0, 1);
          },
          "Draw a random share X of the tokens, chosen by the seed: 0 keeps all, 1 is generate "
          "(default 0.5)")
      ->type_name("X");
  add_orientation(command, vary.apply_orientation);
  add_drawing_command_options(command, grammar, vary.drawing);
  command.footer(
      "The model draws tokens line by line, left to right, each from the prompt and all tokens "
      "before it,\nkept ones included. So it continues what is above and to the left. It cannot "
      "see what is kept below\nor to the right: expect a seam there, and things that do not go on. "
      "Keeping the upper rows is what\nit does best. The kept parts go through the visual "
      "tokenizer too; bifrons reconstruct shows what\nthat alone does to a picture.");
}

void add_in_and_out(CLI::App& command, Grammar& grammar, EncodeArguments& arguments) {
  command.add_option("IMAGE", arguments.image, kPicture)->required();
  command.add_flag("-y,--overwrite", arguments.overwrite, "Replace existing files");
  command.add_flag("--json", arguments.json, "Print one JSON object instead of paths");
  add_orientation(command, arguments.apply_orientation);
  add_machine_options(command, grammar, arguments.model);
  add_verbosity_options(command, arguments.verbosity);
}

}  // namespace

void add_picture_commands(Grammar& grammar) {
  add_vary(grammar);

  CLI::App& encode = *grammar.app.add_subcommand("encode", "Take a picture apart into image codes");
  encode
      .add_option("-o,--output", grammar.encode.output,
                  "The JSON file, as decode reads it; - is stdout")
      ->type_name("FILE")
      ->required();
  add_in_and_out(encode, grammar, grammar.encode);

  CLI::App& reconstruct = *grammar.app.add_subcommand(
      "reconstruct", "Encode a picture and decode it again, and say how alike the two are");
  reconstruct.add_option("-o,--output", grammar.reconstruct.output, "As for generate")
      ->type_name("FILE");
  reconstruct.add_flag_callback(
      "--no-metadata", [&grammar] { grammar.reconstruct.metadata = false; },
      "Leave out the AI mark");
  add_in_and_out(reconstruct, grammar, grammar.reconstruct);
}

}  // namespace bifrons::cli
