// Operations on all settings.
#include "src/settings/settings.h"

#include <fmt/format.h>

#include "src/io/text.h"

namespace bifrons {

template <Number T>
T parse_setting(const Setting<T>& setting, std::string_view option, const std::string& text) {
  const Limits<T>& limits = setting.limits;
  if constexpr (std::same_as<T, double>) {
    return parse_real(option, text, limits.least, limits.most, limits.above);
  } else {
    return static_cast<T>(parse_whole(option, text, static_cast<uint64_t>(limits.least),
                                      static_cast<uint64_t>(limits.most)));
  }
}
template uint64_t parse_setting(const Setting<uint64_t>&, std::string_view, const std::string&);
template int64_t parse_setting(const Setting<int64_t>&, std::string_view, const std::string&);
template double parse_setting(const Setting<double>&, std::string_view, const std::string&);

template <Number T>
void check_range(const Setting<T>& setting, T value) {
  const Limits<T>& limits = setting.limits;
  // All comparisons fail for NaN, so NaN is refused.
  const bool high_enough = limits.above ? value > limits.least : value >= limits.least;
  if (high_enough && value <= limits.most) return;
  throw Error(ErrorKind::kUsage,
              fmt::format("{} must be a number {} {} {} {}, not {}", setting.name,
                          limits.above ? "above" : "from", limits.least,
                          limits.above ? "and up to" : "to", limits.most, value));
}
template void check_range(const Setting<uint64_t>&, uint64_t);
template void check_range(const Setting<int64_t>&, int64_t);
template void check_range(const Setting<double>&, double);

void check_ranges(const DrawRequest& request) {
  for_each_number([&](const auto& setting) { check_range(setting, request.*setting.value); });
}

void fill_from(PartialRequest& partial, const PartialRequest& fallback) {
  for_each_setting([&](const auto& setting) {
    if (!(partial.*setting.given)) partial.*setting.given = fallback.*setting.given;
  });
}

void apply(const PartialRequest& partial, DrawRequest& request) {
  for_each_setting([&](const auto& setting) {
    if (setting.value == nullptr || !(partial.*setting.given)) return;
    request.*setting.value = *(partial.*setting.given);
  });
}

std::string_view rope_name(RopeMode rope) { return rope == RopeMode::kBf16 ? "bf16" : "f32"; }

std::optional<RopeMode> rope_mode(std::string_view name) {
  for (const RopeMode rope : {RopeMode::kF32, RopeMode::kBf16}) {
    if (name == rope_name(rope)) return rope;
  }
  return std::nullopt;
}

std::string_view kv_name(KvFormat kv) { return kv == KvFormat::kInt8 ? "int8" : "stored"; }

std::optional<KvFormat> kv_format(std::string_view name) {
  for (const KvFormat kv : {KvFormat::kStored, KvFormat::kInt8}) {
    if (name == kv_name(kv)) return kv;
  }
  return std::nullopt;
}

}  // namespace bifrons
