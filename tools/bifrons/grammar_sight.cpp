// The options of the commands that look at pictures: describe, ask and chat.
#include "src/io/quote.h"
#include "src/io/text.h"
#include "tools/bifrons/grammar.h"
#include "tools/bifrons/setting_aliases.h"

namespace bifrons::cli {
namespace {

constexpr uint64_t kLongestReply = 1'000'000;

CLI::Option& add_text(CLI::App& command, const char* names, const char* about,
                      std::function<void(const std::string&)> take) {
  return *command.add_option_function<std::string>(names, std::move(take), about);
}

void add_reply_options(CLI::App& command, SightArguments& sight) {
  ReplyOptions& reply = sight.reply;
  add_text(command, "--temp,--temperature",
           "0 takes the likeliest word (default), 1 draws as trained",
           [&reply](const std::string& text) {
             reply.temperature = parse_setting(settings::kTemperature, "--temp", text);
           })
      .type_name("NUMBER");
  add_text(command, "--top-k", "Draw among the K likeliest tokens; 0 is off (default)",
           [&reply](const std::string& text) {
             reply.top_k = parse_setting(settings::kTopK, "--top-k", text);
           })
      .type_name("NUMBER");
  add_text(command, "--top-p", "Draw among the likeliest tokens of mass P; 1 is off (default)",
           [&reply](const std::string& text) {
             reply.top_p = parse_setting(settings::kTopP, "--top-p", text);
           })
      .type_name("NUMBER");
  add_text(command, "-s,--seed", "Seed of drawn replies; -1 is random (default 0)",
           [&reply](const std::string& text) { reply.seed = parse_seed("--seed", text); })
      .type_name("NUMBER");
  add_setting_aliases(command);
  add_text(command, "--max-tokens", "Longest reply, in tokens (default 512)",
           [&reply](const std::string& text) {
             reply.max_tokens =
                 static_cast<int64_t>(parse_whole("--max-tokens", text, 1, kLongestReply));
           })
      .type_name("N");
  add_text(command, "--stop", "A text that ends a reply; may be given several times",
           [&reply](const std::string& text) {
             if (text.empty()) throw Error(ErrorKind::kUsage, "--stop takes a text, not nothing");
             reply.stop.push_back(text);
           })
      .type_name("TEXT")
      ->trigger_on_parse();
  add_text(command, "--system", "What stands in front of the conversation, for the model's own",
           [&sight](const std::string& text) { sight.system = text; })
      .type_name("TEXT");
  command.add_flag("--allow-special", reply.allow_special,
                   "Special tokens written in words count as such");
  command.add_flag("--apply-orientation", sight.apply_orientation,
                   "Turn pictures as their EXIF data ask; the reference does not");
}

void add_common(CLI::App& command, Grammar& grammar) {
  add_reply_options(command, grammar.sight);
  command.add_flag("--json", grammar.sight.json, "Print JSON instead of text");
  add_machine_options(command, grammar, grammar.sight.model);
  add_verbosity_options(command, grammar.sight.verbosity);
}

}  // namespace

void add_sight_commands(Grammar& grammar) {
  SightArguments& sight = grammar.sight;
  CLI::App& describe =
      *grammar.app.add_subcommand("describe", "Say what pictures show, one after another");
  add_words(describe, "IMAGE", "PNG, JPEG or WebP files; - is stdin", sight.images).required();
  add_text(describe, "--question", "What is asked about each (default: what suits the model)",
           [&sight](const std::string& text) { sight.question = text; })
      .type_name("TEXT");
  add_common(describe, grammar);

  CLI::App& ask = *grammar.app.add_subcommand("ask", "Answer a question about a picture");
  ask.add_option("IMAGE", sight.image, "A PNG, JPEG or WebP file; - is stdin")->required();
  ask.add_option("QUESTION", sight.asked, "The question; - reads it from stdin")->required();
  add_text(ask, "-i,--image", "Another picture, after the first; may be given several times",
           [&sight](const std::string& text) { sight.images.push_back(text); })
      .type_name("FILE")
      ->trigger_on_parse();
  add_common(ask, grammar);

  CLI::App& chat = *grammar.app.add_subcommand(
      "chat", "Verbosity about pictures, line by line; /image FILE, /reset, /quit");
  chat.add_option("IMAGE", sight.image, "A picture to begin with");
  add_common(chat, grammar);
}

}  // namespace bifrons::cli
