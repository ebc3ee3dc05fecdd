// One option for each row of the table of settings. A value is checked where it is parsed, so the
// error names the option.
#include "tools/bifrons/setting_options.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>

#include "src/io/quote.h"
#include "tools/bifrons/options.h"
#include "tools/bifrons/setting_aliases.h"

namespace bifrons::cli {
namespace {

// Adds the option of a setting, by the type of its value.
struct OptionAdder {
  CLI::App& command;
  Settings& settings;
  const char* seed;  // the help of --seed

  void operator()(const Setting<std::string>&) const {}  // each command handles its own prompt
  void operator()(const Setting<std::vector<int32_t>>&) const {}  // `vary` sets them
  void operator()(const Setting<std::string, std::optional<std::string>>& setting) const {
    add(setting, "TEXT", [](const std::string& text) { return text; });
  }
  template <Number T>
  void operator()(const Setting<T>& setting) const {
    add(setting, "NUMBER", [&setting, &settings = settings](const std::string& text) -> T {
      const std::string option(option_of(setting.flags));
      if (setting.field != Field::kSeed) return parse_setting(setting, option, text);
      settings.random_seed = text == "-1";
      return static_cast<T>(parse_seed(option, text));
    });
  }
  void operator()(const Setting<RopeMode>& setting) const {
    add(setting, "NAME", [&setting](const std::string& text) {
      if (const auto rope = rope_mode(text)) return *rope;
      throw Error(ErrorKind::kUsage, fmt::format("{} takes f32 or bf16, not {}",
                                                 option_of(setting.flags), quote(text, 60)));
    });
  }
  void operator()(const Setting<bool>& setting) const {
    command.add_flag_callback(
        std::string(setting.flags),
        [&setting, &settings = settings] { settings.*setting.given = true; },
        std::string(setting.help));
  }

  template <typename T, typename Stored>
  std::string help_of(const Setting<T, Stored>& setting) const {
    if (setting.field == Field::kSeed) return seed;
    if constexpr (Number<T>) {
      return fmt::format(fmt::runtime(setting.help), DrawRequest{}.*setting.value);
    } else {
      return std::string(setting.help);
    }
  }
  void add(const auto& setting, const char* type, auto parse) const {
    command
        .add_option_function<std::string>(
            std::string(setting.flags),
            [&setting, &settings = settings, parse](const std::string& text) {
              settings.*setting.given = parse(text);
            },
            help_of(setting))
        ->type_name(type);
  }
};

}  // namespace

void add_setting_options(CLI::App& command, Settings& settings, const char* seed) {
  for_each_setting(OptionAdder{command, settings, seed});
  add_setting_aliases(command);
}

namespace {

constexpr uint64_t kLongestSide = 1u << 20;

// A side from --size. Throws Error (usage) if the option of this side has given another one.
void take_side(std::optional<int64_t>& side, int64_t pixels, const char* option) {
  if (side && *side != pixels) {
    throw Error(ErrorKind::kUsage, fmt::format("--size says {} pixels and {} {}; give one of them",
                                               pixels, option, *side));
  }
  side = pixels;
}

}  // namespace

void add_size_options(CLI::App& command, std::optional<int64_t>& width,
                      std::optional<int64_t>& height) {
  constexpr const char* kAbout = "Must be the model's own";
  add_whole(command, "-W,--width", "NUMBER", 1, kLongestSide, width, kAbout);
  add_whole(command, "-H,--height", "NUMBER", 1, kLongestSide, height, kAbout);
  const auto take = [&width, &height](const std::string& text) {
    const size_t by = text.find('x');
    if (by == std::string::npos || text.find_first_not_of("0123456789x") < text.size() || by == 0 ||
        by + 1 == text.size()) {
      refuse_value("--size", "WIDTHxHEIGHT, such as 384x384", text);
    }
    const auto pixels = [](const std::string& side) {
      return static_cast<int64_t>(parse_whole("--size", side, 1, kLongestSide));
    };
    take_side(width, pixels(text.substr(0, by)), "--width");
    take_side(height, pixels(text.substr(by + 1)), "--height");
  };
  add_value(command, "--size", "WxH", take, kAbout);
}

}  // namespace bifrons::cli
