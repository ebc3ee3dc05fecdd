// Names and values of a prompt file's fields. They are checked as strictly as on the command line.
#include "src/prompts/prompt_line.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "kernels/error.h"
#include "src/io/text.h"
#include "src/prompts/name_rules.h"
#include "src/prompts/picture_name.h"
#include "src/prompts/refuse.h"

namespace bifrons {
namespace {

// Members of a manifest's line that are not settings.
constexpr std::array kManifestMembers = std::to_array<std::string_view>(
    {"file_name", "text",          "template", "id",         "line",     "index",
     "number",    "large_seed",    "model",    "model_hash", "program",  "device",
     "seconds",   "tokens_sha256", "width",    "height",     "bytes",    "sha256",
     "key",       "crc32",         "best_of",  "repeated",   "kv_cache", "edit"});

std::string normal_name(std::string_view name) {
  std::string out = lower_case(name);
  for (char& c : out) {
    if (c == '-' || c == ' ') c = '_';
  }
  return out;
}

// parse_whole() and parse_real() throw Error (usage). Here the file is wrong, so the kind is data.
template <typename F>
auto as_data(F parse) {
  try {
    return parse();
  } catch (const Error& error) {
    throw Error(ErrorKind::kData, error.what());
  }
}

// Removes the fraction that spreadsheets and pandas give to whole numbers: 7.0, 7.00, 7.000000.
// Three zeros stay, because 1.000 is a thousand in many countries. Exponents stay, because a
// spreadsheet that writes 1.23457E+09 has lost digits.
std::string without_zero_fraction(const std::string& text) {
  const size_t dot = text.find('.');
  if (dot == std::string::npos || dot == 0) return text;
  const size_t zeros = text.size() - dot - 1;
  const bool plain = text.find_first_not_of("0123456789") == dot &&
                     text.find_first_not_of('0', dot + 1) == std::string::npos;
  return plain && zeros > 0 && zeros != 3 ? text.substr(0, dot) : text;
}

// The same for JSON, where 7.0 and 7e0 are the number 7. Above 2^53 reals are not exact.
std::string whole_text(std::string_view name, const Json& value) {
  constexpr double kExact = 9007199254740992;
  if (value.is_unsigned()) return value.dump();
  const double real = value.real("");
  if (real >= kExact) {
    refuse_as_data(
        fmt::format("{} is about {}, which is too large, or a real number too large to be exact; "
                    "write a whole number from 0 to 18446744073709551615 in plain digits",
                    name, value.dump()));
  }
  if (real < 0 || real != std::floor(real)) return value.dump();
  return std::to_string(static_cast<uint64_t>(real));
}

bool is_whole(Field field) {
  bool whole = field == Field::kCount || field == Field::kBatchSize || field == Field::kBatches;
  for_each_number([&]<typename T>(const Setting<T>& setting) {
    whole = whole || (setting.field == field && !std::same_as<T, double>);
  });
  return whole;
}

bool is_text_field(Field field) {
  return field == Field::kPrompt || field == Field::kNegativePrompt || field == Field::kId ||
         field == Field::kOutput;
}

// A seed of -1 means a random seed.
void set_seed(PromptLine& line, std::string_view name, const std::string& text) {
  line.random_seed = text == "-1" || text == "-1.0";
  line.seed.reset();
  if (line.random_seed) return;
  const std::string digits = without_zero_fraction(text);
  line.seed = as_data([&] { return parse_setting(settings::kSeed, name, digits); });
}

void set_number(PromptLine& line, Field field, std::string_view name, const std::string& text) {
  for_each_number([&]<typename T>(const Setting<T>& setting) {
    if (setting.field != field) return;
    const std::string digits = std::same_as<T, double> ? text : without_zero_fraction(text);
    line.*setting.given = as_data([&] { return parse_setting(setting, name, digits); });
  });
}

}  // namespace

bool is_manifest_member(std::string_view name) {
  bool member =
      std::find(kManifestMembers.begin(), kManifestMembers.end(), name) != kManifestMembers.end();
  for_each_setting([&](const auto& setting) {
    member = member || (setting.in_manifest && setting.name == name);
  });
  return member;
}

bool is_aspect_ratio(std::string_view name) { return normal_name(name) == "aspect_ratio"; }

bool is_size(std::string_view name) {
  const std::string wanted = normal_name(name);
  constexpr std::array<std::string_view, 8> kSizes = {"width",       "height",      "size",
                                                      "img_size",    "image_size",  "resolution",
                                                      "image_width", "image_height"};
  return std::find(kSizes.begin(), kSizes.end(), wanted) != kSizes.end() || is_aspect_ratio(name);
}

void set_field(PromptLine& line, Field field, std::string_view name, const std::string& text) {
  const auto pictures = [&] {
    const std::string digits = without_zero_fraction(text);
    return static_cast<int64_t>(
        as_data([&] { return parse_whole(name, digits, 1, uint64_t{kMostPicturesOfALine}); }));
  };
  switch (field) {
    case Field::kPrompt:
      line.prompt = text;
      break;
    case Field::kNegativePrompt:
      if (!text.empty()) line.negative_prompt = text;
      break;
    case Field::kSeed:
      set_seed(line, name, text);
      break;
    case Field::kCount:
      line.count = pictures();
      break;
    case Field::kBatchSize:
      line.batch_size = pictures();
      break;
    case Field::kBatches:
      line.batches = pictures();
      break;
    case Field::kId:
      check_id(text);
      line.id = text;
      break;
    case Field::kOutput:
      check_output_name(text);
      line.output = text;
      break;
    default:
      set_number(line, field, name, text);
  }
}

void set_field(PromptLine& line, Field field, std::string_view name, const Json& value) {
  if (value.is_null()) return;
  if (is_text_field(field) || value.is_string()) {
    // An id may be a number, as in many data sets.
    if (field == Field::kId && value.is_number()) return set_field(line, field, name, value.dump());
    return set_field(line, field, name, value.text(name));
  }
  if (!value.is_number()) refuse_as_data(fmt::format("{} is {}, not a number", name, value.kind()));
  set_field(line, field, name, is_whole(field) ? whole_text(name, value) : value.dump());
}

void settle_count(PromptLine& line) {
  if (!line.batch_size && !line.batches) return;
  if (line.count) {
    refuse_as_data(
        "the number of pictures stands there twice: by itself, and as batches and their size");
  }
  const int64_t pictures = line.batch_size.value_or(1) * line.batches.value_or(1);
  if (pictures > kMostPicturesOfALine) {
    refuse_as_data(
        fmt::format("{} pictures; a line gives at most {}", pictures, kMostPicturesOfALine));
  }
  line.count = pictures;
}

}  // namespace bifrons
