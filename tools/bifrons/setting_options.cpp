// Values are checked as they are read, so a refusal names the option.
#include "tools/bifrons/setting_options.h"

#include "src/io/quote.h"
#include "src/io/text.h"
#include "tools/bifrons/setting_aliases.h"

namespace bifrons::cli {

void add_setting_options(CLI::App& command, Settings& settings, const char* seed) {
  command
      .add_option_function<std::string>(
          "-n,--negative-prompt",
          [&settings](const std::string& text) { settings.negative_prompt = text; },
          "What to steer away from")
      ->type_name("TEXT");
  add_number<uint64_t>(command, "-s,--seed", seed, settings.seed,
                       [&settings](const std::string& text) {
                         settings.random_seed = text == "-1";
                         return parse_seed("--seed", text);
                       });
  add_number<double>(
      command, "--cfg,--cfg-scale,--guidance", "How hard the prompt steers (default 5)",
      settings.guidance,
      [](const std::string& text) { return parse_real("--cfg", text, 0, kLargestGuidance); });
  add_number<double>(
      command, "--temp,--temperature", "1 draws as trained, 0 takes the likeliest (default 1)",
      settings.temperature,
      [](const std::string& text) { return parse_real("--temp", text, 0, kLargestTemperature); });
  add_number<int64_t>(command, "--top-k", "Draw among the K likeliest codes; 0 is off (default)",
                      settings.top_k, [](const std::string& text) {
                        return static_cast<int64_t>(parse_whole("--top-k", text, 0, kLargestTopK));
                      });
  add_number<double>(
      command, "--top-p", "Draw among the likeliest codes of mass P; 1 is off", settings.top_p,
      [](const std::string& text) { return parse_real("--top-p", text, 0, 1, true); });
  command
      .add_option_function<std::string>(
          "--rope",
          [&settings](const std::string& text) {
            settings.rope = rope_mode(text);
            if (!settings.rope) {
              throw Error(ErrorKind::kUsage, "--rope takes f32 or bf16, not " + quote(text, 60));
            }
          },
          "Precision of rotary frequencies: f32 or bf16 (default f32)")
      ->type_name("NAME");
  command.add_flag_callback(
      "--allow-special", [&settings] { settings.allow_special = true; },
      "Special tokens written in the prompt count as such");
  add_setting_aliases(command);
}

}  // namespace bifrons::cli
