// `bifrons bench quality`: its options, and the table of what a compared setting may name.
#include "tools/bifrons/bench_quality.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>

#include "src/io/quote.h"
#include "tools/bench/batch.h"
#include "tools/bench/quality.h"
#include "tools/bifrons/model_place.h"
#include "tools/bifrons/session.h"
#include "tools/bifrons/streams.h"

namespace bifrons::cli {
namespace {

constexpr int64_t kMostForcedPictures = 1'000'000;

// What stands before the = in a setting.
struct SettingField {
  std::string_view name;
  std::string_view values;  // for messages
  // False if it does not take this value.
  bool (*set)(EngineOptions& options, const std::string& value);
};

bool set_text(std::string& field, const std::string& value) {
  field = value;
  return !value.empty();
}

template <typename T>
bool choose(T& field, const std::string& value,
            std::initializer_list<std::pair<std::string_view, T>> words) {
  for (const auto& [word, meaning] : words) {
    if (value != word) continue;
    field = meaning;
    return true;
  }
  return false;
}

// A new field of EngineOptions is one line here.
constexpr SettingField kSettingFields[] = {
    {"model", "a directory or a name of a model",
     [](EngineOptions& o, const std::string& v) { return set_text(o.model, v); }},
    {"device", "auto, cpu[:ISA] or cuda[:N]",
     [](EngineOptions& o, const std::string& v) { return set_text(o.device, v); }},
    {"rope", "f32 or bf16",
     [](EngineOptions& o, const std::string& v) {
       return choose(o.rope, v, {{"f32", RopeMode::kF32}, {"bf16", RopeMode::kBf16}});
     }},
    {"weights", "stored, int8 or int4",
     [](EngineOptions& o, const std::string& v) {
       return choose(o.weights, v,
                     {{"stored", WeightFormat::kStored},
                      {"int8", WeightFormat::kInt8},
                      {"int4", WeightFormat::kInt4}});
     }},
    {"kv", "stored or int8",
     [](EngineOptions& o, const std::string& v) {
       return choose(o.kv, v, {{"stored", KvFormat::kStored}, {"int8", KvFormat::kInt8}});
     }},
};

// What is compared where nothing is named.
constexpr const char* kFormats[] = {"kv=int8", "weights=int8", "weights=int8,kv=int8",
                                    "weights=int4", "weights=int4,kv=int8"};

void apply_field(EngineOptions& options, const std::string& setting, const std::string& part) {
  const size_t at = part.find('=');
  const std::string name = part.substr(0, at);
  const auto* field = std::find_if(std::begin(kSettingFields), std::end(kSettingFields),
                                   [&](const SettingField& known) { return known.name == name; });
  if (at == std::string::npos || field == std::end(kSettingFields)) {
    std::string names;
    for (const SettingField& known : kSettingFields) {
      names += (names.empty() ? "" : ", ") + std::string(known.name) + "=";
    }
    throw Error(
        ErrorKind::kUsage,
        fmt::format("--against takes settings such as weights=int8,kv=int8, joined by commas, "
                    "not {}; there are {}",
                    quote(setting, 60), names));
  }
  if (field->set(options, part.substr(at + 1))) return;
  throw Error(ErrorKind::kUsage, fmt::format("--against: {} takes {}, not {}", name, field->values,
                                             quote(part.substr(at + 1), 60)));
}

// The reference's options with the fields that `setting` names: NAME=VALUE[,NAME=VALUE ...].
EngineOptions options_of(const EngineOptions& reference, const std::string& setting) {
  EngineOptions options = reference;
  size_t begin = 0;
  while (true) {
    const size_t end = setting.find(',', begin);
    apply_field(options, setting, setting.substr(begin, end - begin));
    if (end == std::string::npos) return options;
    begin = end + 1;
  }
}

struct BenchQuality {
  EngineFlags engine;
  QualityBenchOptions options;
  std::vector<std::string> against;
  std::string prompts;
  bool json = false;
  bool quiet = false;

  int run() {
    if (against.empty()) against.assign(std::begin(kFormats), std::end(kFormats));
    for (const std::string& setting : against) options_of({}, setting);  // words come before files
    options.reference = engine.setup().options;
    options.reference.int8_kv_if_needed = false;  // that would be another reference
    for (const std::string& setting : against) {
      ComparedSetting compared{setting, options_of(options.reference, setting)};
      if (compared.engine.model != options.reference.model) {
        compared.engine.model = find_model(compared.engine.model).directory;
      }
      options.compared.push_back(std::move(compared));
    }
    if (!prompts.empty()) {
      options.prompts = read_prompts(read_file(prompts, kLongestFile), prompts);
    }
    const QualityBenchReport report = measure_quality(options, [this](const std::string& line) {
      if (!quiet) print_stderr("bifrons: " + line + "\n");
    });
    write_stdout(json ? json_of(report) : table_of(report));
    return 0;
  }
};

}  // namespace

void add_bench_quality(CLI::App& bench, Chosen& chosen) {
  auto state = std::make_shared<BenchQuality>();
  QualityBenchOptions& o = state->options;
  CLI::App& quality = *bench.add_subcommand(
      "quality",
      "Compare settings with a reference by teacher forcing: KL divergence, changed draws");
  state->engine.add_to(quality);
  add_value(
      quality, "--against", "SETTING",
      [state = state.get()](const std::string& text) { state->against.push_back(text); },
      "What to compare with the reference, such as weights=int4 or model=DIR; several fields are "
      "joined by commas. It can be repeated (default: int8 and int4 weights, an int8 KV cache)",
      {.each = true});
  add_whole(quality, "--pictures", "N", 1, kMostForcedPictures, o.pictures,
            "Pictures that the reference draws (default: 32)");
  add_text(quality, "--prompts", "FILE", state->prompts,
           "A file of prompts, taken in turn, one a line");
  add_whole(quality, "-s,--seed", "N", 0, UINT64_MAX, o.seed,
            "Seed of the first picture; the next one has the next (default: 0)");
  quality.add_option("--cfg,--guidance", o.guidance, "Scale of classifier-free guidance")
      ->type_name("SCALE")
      ->capture_default_str();
  add_flag(quality, "--json", state->json, "One JSON object on stdout");
  add_flag(quality, "-q,--quiet", state->quiet, "No messages on stderr");
  quality.callback([state, &chosen] { chosen = [state] { return state->run(); }; });
}

}  // namespace bifrons::cli
