// The one table of short names.
#include "src/hub/known_models.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "src/io/text.h"

namespace bifrons::hub {
namespace {

constexpr std::string_view kJanusLicence =
    "code MIT; weights DeepSeek Model License (LICENSE-MODEL in the model's repository)";

constexpr std::array kModels{
    KnownModel{"janus-pro-1b", "deepseek-ai/Janus-Pro-1B", 4'185'000'000, kJanusLicence},
    KnownModel{"janus-pro-7b", "deepseek-ai/Janus-Pro-7B", 14'845'000'000, kJanusLicence},
    KnownModel{"janus-1.3b", "deepseek-ai/Janus-1.3B", 4'185'000'000, kJanusLicence},
};

}  // namespace

std::span<const KnownModel> known_models() { return kModels; }

const KnownModel* known_model(std::string_view name) {
  const std::string wanted = lower_case(name);
  const auto at =
      std::find_if(kModels.begin(), kModels.end(), [&](const auto& m) { return m.name == wanted; });
  return at == kModels.end() ? nullptr : &*at;
}

const KnownModel* known_model_by_id(std::string_view id) {
  const auto at =
      std::find_if(kModels.begin(), kModels.end(), [&](const auto& m) { return m.id == id; });
  return at == kModels.end() ? nullptr : &*at;
}

std::string known_names() {
  std::string names;
  for (const KnownModel& model : kModels) {
    names += (names.empty() ? "" : ", ") + std::string(model.name);
  }
  return names;
}

std::string bytes_text(int64_t bytes) {
  if (bytes < 1000) return fmt::format("{} B", bytes);
  double size = static_cast<double>(bytes) / 1000;
  for (const char* unit : {"kB", "MB", "GB"}) {
    if (size < 999.5)
      return fmt::format("{:.{}f} {}", size, size < 9.995 ? 2 : size < 99.95 ? 1 : 0, unit);
    size /= 1000;
  }
  return fmt::format("{:.2f} TB", size);
}

}  // namespace bifrons::hub
