// Names and keys are functions of the job alone: they do not depend on the position of its line.
#include "src/batch/picture_job.h"

#include <fmt/format.h>

#include <charconv>

#include "src/io/json.h"
#include "src/io/sha256.h"
#include "src/io/text.h"
#include "src/settings/settings.h"
#include "src/store/manifest.h"
#include "src/think.h"
#include "src/understand.h"

namespace bifrons {

std::string_view ending_of(PictureFormat format) {
  switch (format) {
    case PictureFormat::kPng:
      return ".png";
    case PictureFormat::kJpeg:
      return ".jpg";
    case PictureFormat::kWebp:
      return ".webp";
  }
  throw ContractError("a picture format without an ending");
}

std::string automatic_name(const PictureJob& job, const std::string& slug_of_prompt) {
  return fmt::format("{}-{}-{}{}", slug_of_prompt, job.request.seed, job.key.substr(0, 8),
                     ending_of(job.format));
}

// The hashed text must not change, because directories of earlier versions are resumed by it. So a
// newer setting is included only if it differs from its default. The same holds for best-of.
std::string picture_key(const PictureJob& job, const JobOptions& options) {
  const DrawRequest& r = job.request;
  std::string numbers, more;
  for_each_number([&](const auto& setting) {
    if (!setting.always_in_records && is_default(setting, r)) return;
    (setting.always_in_records ? numbers : more) +=
        fmt::format(R"(,"{}":{})", setting.name, r.*setting.value);
  });
  if (options.best_of != 0) {
    more += fmt::format(R"(,"best_of":{},"question":{})", options.best_of,
                        json_text(question_about(options.question, r.prompt)));
  }
  if (options.kv != KvFormat::kStored) more += fmt::format(R"(,"kv":"{}")", kv_name(options.kv));
  if (r.thinking != nullptr) {
    const ThinkOptions& think = options_of(*r.thinking);
    more += fmt::format(R"(,"think":{})", thought_style_json(think.style));
    if (think.thought) more += fmt::format(R"(,"thought":{})", json_text(*think.thought));
  }
  if (job.edit != nullptr) more += R"(,"edit":)" + edit_key(*job.edit);
  return sha256(fmt::format(R"({{"v":1,"prompt":{},"negative":{}{},"special":{},"rope":{},)"
                            R"("format":"{}","metadata":{}{}}})",
                            json_text(r.prompt),
                            r.negative_prompt ? json_text(*r.negative_prompt) : "null", numbers,
                            r.allow_special, options.rope == RopeMode::kBf16 ? 16 : 32,
                            ending_of(job.format), options.metadata, more));
}

uint64_t settings_hash(const PictureJob& job) {
  const DrawRequest& r = job.request;
  std::string text = fmt::format("{} {}", r.prompt.size(), r.negative_prompt.has_value());
  for_each_number([&](const auto& setting) { text += fmt::format(" {}", r.*setting.value); });
  if (r.thinking != nullptr) text += " " + options_of(*r.thinking).thought.value_or("");
  if (job.edit != nullptr) text += " " + edit_key(*job.edit);
  return ManifestIndex::hash(
      fmt::format("{}\n{}\n{}", text, r.prompt, r.negative_prompt.value_or("")));
}

std::string former_name(const PictureJob& job) {
  std::string former = automatic_name(job, former_slug(job.request.prompt));
  return job.file_name == automatic_name(job, slug(job.request.prompt)) ? former : job.file_name;
}

std::string name_of_line(const PictureJob& job) {
  constexpr std::string_view kFirst = "-0001";
  if (!job.id.empty()) return job.id;
  std::string name = job.file_name.substr(0, job.file_name.rfind('.'));
  if (name.ends_with(kFirst)) name.resize(name.size() - kFirst.size());
  return name;
}

uint64_t seed_of_prompt(std::string_view prompt, uint64_t random_base) {
  const std::string whole =
      random_base == 0 ? std::string(prompt) : fmt::format("{}\n{}", random_base, prompt);
  const std::string digits = sha256(whole).substr(0, 8);
  uint64_t seed = 0;
  std::from_chars(digits.data(), digits.data() + digits.size(), seed, 16);
  return seed;
}

}  // namespace bifrons
