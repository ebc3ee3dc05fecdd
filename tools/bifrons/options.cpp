// Each option is declared once here, so its help and its errors are the same in all commands.
#include "tools/bifrons/options.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdlib>

#include "kernels/utf8.h"
#include "src/io/quote.h"
#include "src/settings/settings.h"
#include "tools/bifrons/model_place.h"

namespace bifrons::cli {
namespace {

constexpr uint64_t kMostThreads = 1024;
constexpr uint64_t kMostLanes = 4096;

KvFormat parse_kv(const std::string& option, const std::string& text) {
  if (const auto kv = kv_format(text)) return *kv;
  refuse_value(option, "stored or int8", text);
}

// Bytes.
int64_t parse_gigabytes(std::string_view option, const std::string& text) {
  constexpr double kLeast = 0.0001, kMost = 1e6;
  return static_cast<int64_t>(parse_real(option, text, kLeast, kMost) * 1e9);
}

void apply(CLI::Option& option, const char* type, const OptionRules& rules) {
  if (type != nullptr) option.type_name(type);
  if (rules.required) option.required();
  if (rules.once) option.multi_option_policy(CLI::MultiOptionPolicy::Throw);
  if (rules.each) option.trigger_on_parse();
}

void add_any_text(CLI::App& command, const char* names, const char* type, std::string& text,
                  const char* about, const OptionRules& rules) {
  CLI::Option& option = *command.add_option(names, text, about);
  apply(option, type, rules);
  if (!text.empty()) option.capture_default_str();
}

}  // namespace

CLI::App& add_command(CLI::App& app, const char* name, const char* about, Chosen& chosen,
                      Chosen run) {
  CLI::App& command = *app.add_subcommand(name, about);
  command.callback([&chosen, run = std::move(run)] { chosen = run; });
  return command;
}

void add_value(CLI::App& command, const char* names, const char* type, const TakeText& take,
               const char* about, OptionRules rules) {
  apply(*command.add_option_function<std::string>(names, take, about), type, rules);
}

void add_text(CLI::App& command, const char* names, const char* type, std::string& text,
              const char* about, OptionRules rules) {
  add_any_text(command, names, type, text, about, rules);
}

void add_operand(CLI::App& command, const char* name, std::string& text, const char* about,
                 OptionRules rules) {
  add_any_text(command, name, nullptr, text, about, rules);
}

void add_operands(CLI::App& command, const char* name, std::vector<std::string>& words,
                  const char* about, OptionRules rules) {
  const auto take = [&words](const std::vector<std::string>& given) { words = given; };
  apply(*command.add_option_function<std::vector<std::string>>(name, take, about), nullptr, rules);
}

void add_flag(CLI::App& command, const char* names, bool& flag, const char* about) {
  command.add_flag(names, flag, about);
}

void add_flag(CLI::App& command, const char* names, const std::function<void()>& take,
              const char* about) {
  command.add_flag_callback(names, take, about);
}

void add_footer(CLI::App& command, const char* text) { command.footer(text); }

std::string long_name(std::string_view names) {
  names.remove_prefix(names.find("--"));
  return std::string(names.substr(0, names.find(',')));
}

void refuse_value(const std::string& option, const std::string& known, const std::string& text) {
  throw Error(ErrorKind::kUsage,
              fmt::format("{} takes {}, not {}", option, known, quote(text, 60)));
}

void check_text(std::string_view name, const std::string& text) {
  if (const auto at = invalid_utf8(text)) {
    throw Error(ErrorKind::kUsage, fmt::format("{} is not valid UTF-8 at byte {}", name, *at));
  }
}

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? std::string() : std::string(value);
}

WeightFormat weight_format(const std::string& option, const std::string& text) {
  if (text == "stored") return WeightFormat::kStored;
  if (text == "int8") return WeightFormat::kInt8;
  if (text == "int4") return WeightFormat::kInt4;
  refuse_value(option, "stored, int8, int4", text);
}

std::optional<bool> pdl_from_environment() {
  const std::string asked = environment("BIFRONS_PDL");
  if (asked == "0" || asked == "1") return asked == "1";
  return std::nullopt;
}

void Verbosity::add_to(CLI::App& command) {
  add_flag(command, "-q,--quiet", quiet, "Say nothing but errors");
  add_flag(command, "-v,--verbose", verbose, "Say more");
}

void ModelFlag::add_to(CLI::App& command, const char* about) {
  add_text(command, "-m,--model", "DIR", given, about);
}

std::string ModelFlag::value() const {
  return given.empty() ? environment("BIFRONS_MODEL") : given;
}

void EngineFlags::add_to(CLI::App& command, bool devices) {
  model.add_to(command, "Directory or name of a model (default: BIFRONS_MODEL, or storybook)");
  if (devices) {
    add_text(command, "--devices,--device", "LIST", device,
             "One or more of them, such as cpu,cpu (default: BIFRONS_DEVICE, or auto)");
  } else {
    add_text(command, "--device", "NAME", device,
             "auto, cpu[:ISA] or cuda[:N] (default: BIFRONS_DEVICE, or auto)");
  }
  add_whole(command, "-t,--threads", "N", 0, kMostThreads, threads,
            "CPU threads; 0 is all cores (default: BIFRONS_THREADS, or 0)");
  add_value(
      command, "--weights", "NAME",
      [this](const std::string& text) { weights = weight_format("--weights", text); },
      "Linear layers as stored, or quantised while loading to int8 or int4 (default: "
      "BIFRONS_WEIGHTS, or stored)");
  add_kv(command, kv,
         "stored, or int8: a KV cache of half the size (default: BIFRONS_KV, or stored)");
  add_value(
      command, "--max-memory", "GB",
      [this](const std::string& text) { max_memory = parse_gigabytes("--max-memory", text); },
      "Most memory to plan for: fewer pictures at once, then an int8 KV cache unless --kv is given "
      "(default: BIFRONS_MAX_MEMORY, or no limit)");
}

void add_kv(CLI::App& command, std::optional<KvFormat>& kv, const char* about) {
  add_value(
      command, "--kv", "NAME", [&kv](const std::string& text) { kv = parse_kv("--kv", text); },
      about);
}

void add_speculate(CLI::App& command, int& speculate, const char* about) {
  add_value(
      command, "--speculate", "N",
      [&speculate](const std::string& text) {
        if (text == "auto" || text == "off") {
          speculate = text == "auto" ? 0 : 1;
          return;
        }
        try {
          speculate = static_cast<int>(parse_whole("--speculate", text, 1, kMostSpeculated));
        } catch (const Error&) {
          refuse_value("--speculate",
                       fmt::format("auto, off or a number of codes from 1 to {}", kMostSpeculated),
                       text);
        }
      },
      about);
}

EngineSetup EngineFlags::setup() const {
  EngineSetup setup;
  setup.options.device = device.empty() ? environment("BIFRONS_DEVICE") : device;
  if (setup.options.device.empty()) setup.options.device = "auto";
  const std::string text = threads ? "" : environment("BIFRONS_THREADS");
  const auto count =
      text.empty() ? threads.value_or(0)
                   : static_cast<int64_t>(parse_whole("BIFRONS_THREADS", text, 0, kMostThreads));
  setup.options.threads = static_cast<int>(count);
  const ModelPlace place = find_model(model.value());
  setup.options.model = place.directory;
  setup.options.speculate = speculate;
  const std::string format = weights ? "" : environment("BIFRONS_WEIGHTS");
  setup.options.weights = format.empty() ? weights.value_or(WeightFormat::kStored)
                                         : weight_format("BIFRONS_WEIGHTS", format);
  setup.options.pdl = pdl_from_environment();
  const std::string kv_text = kv ? "" : environment("BIFRONS_KV");
  const std::optional<KvFormat> asked =
      kv_text.empty() ? kv : std::optional(parse_kv("BIFRONS_KV", kv_text));
  setup.options.kv = asked.value_or(KvFormat::kStored);
  setup.options.int8_kv_if_needed = !asked;
  const std::string memory_text = max_memory > 0 ? "" : environment("BIFRONS_MAX_MEMORY");
  setup.options.max_memory =
      memory_text.empty() ? max_memory : parse_gigabytes("BIFRONS_MAX_MEMORY", memory_text);
  setup.built_in = place.built_in;
  return setup;
}

void OutputFlags::add_to(CLI::App& command, const char* about_output,
                         const char* about_no_metadata) {
  add_text(command, "-o,--output", "FILE", output, about_output);
  add_flag(command, "-y,--overwrite", overwrite, "Replace existing files");
  add_flag(command, "--json", json, "Print one JSON object instead of paths");
  add_flag(
      command, "--no-metadata", [this] { metadata = false; }, about_no_metadata);
}

void OutputFlags::check() const {
  if (output == "-" && json) {
    throw Error(ErrorKind::kUsage, "--output - and --json both want stdout");
  }
}

void PictureFlags::add_to(CLI::App& command) {
  add_operand(command, "IMAGE", file,
              "A PNG, JPEG or WebP file; - is stdin. Of another size than the model's the short "
              "side is scaled to it (bicubic), of the long side the middle is taken");
  add_orientation(command, orientation);
}

void add_orientation(CLI::App& command, Orientation& orientation) {
  add_flag(
      command, "--apply-orientation", [&orientation] { orientation = Orientation::kApply; },
      "Turn pictures as their EXIF data ask; the reference does not");
}

void add_lanes(CLI::App& command, int& lanes) {
  add_value(
      command, "--batch", "N",
      [&lanes](const std::string& text) {
        lanes = text == "auto" ? 0 : static_cast<int>(parse_whole("--batch", text, 1, kMostLanes));
      },
      "Pictures drawn side by side, or auto (default)");
}

}  // namespace bifrons::cli
