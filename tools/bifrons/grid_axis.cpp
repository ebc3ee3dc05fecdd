// Values one by one or as a range; each is checked as the command line's own options are.
#include "tools/bifrons/grid_axis.h"

#include <fmt/format.h>

#include <limits>

#include "src/io/quote.h"
#include "src/io/text.h"
#include "tools/bifrons/settings.h"

namespace bifrons {
namespace {

constexpr size_t kMostValues = 100;

[[noreturn]] void refuse(const std::string& sentence) { throw Error(ErrorKind::kUsage, sentence); }

std::vector<std::string> split(const std::string& text) {
  std::vector<std::string> parts;
  for (size_t from = 0; from <= text.size();) {
    const size_t comma = std::min(text.find(',', from), text.size());
    parts.push_back(text.substr(from, comma - from));
    from = comma + 1;
  }
  return parts;
}

// "1..4" and "0..1+0.25" to their values.
std::vector<std::string> numbers(const std::string& name, const std::string& text) {
  const size_t dots = text.find("..");
  if (dots == std::string::npos) return split(text);
  const size_t plus = text.find('+', dots);
  const auto real = [&](const std::string& part) { return parse_real(name, part, 0, 1e15); };
  const double first = real(text.substr(0, dots));
  const double last = real(text.substr(dots + 2, plus == text.npos ? plus : plus - dots - 2));
  const double step = plus == text.npos ? 1 : real(text.substr(plus + 1));
  if (!(step > 0) || last < first) refuse(name + " takes ranges such as 1..4 or 0..1+0.25");
  std::vector<std::string> values;
  // Each from the first, so that steps do not add up their rounding.
  for (size_t i = 0; i <= kMostValues; ++i) {
    const double value = first + static_cast<double>(i) * step;
    if (value > last + step * 1e-9) break;
    values.push_back(fmt::format("{:.12g}", value));
  }
  return values;
}

AxisValue numeric(const std::string& name, const std::string& value) {
  const auto real = [&](double most, bool above = false) {
    return parse_real(name, value, 0, most, above);
  };
  const std::string caption = name + " " + value;
  if (name == "seed") {
    const uint64_t seed = parse_whole(name, value, 0, std::numeric_limits<uint64_t>::max());
    return {caption, [seed](DrawRequest& r) { r.seed = seed; }};
  }
  if (name == "cfg") {
    return {caption, [cfg = real(kLargestGuidance)](DrawRequest& r) { r.guidance = cfg; }};
  }
  if (name == "temp") {
    return {caption, [t = real(kLargestTemperature)](DrawRequest& r) { r.temperature = t; }};
  }
  if (name == "top-k") {
    const auto k = static_cast<int64_t>(parse_whole(name, value, 0, kLargestTopK));
    return {caption, [k](DrawRequest& r) { r.top_k = k; }};
  }
  return {caption, [p = real(1, true)](DrawRequest& r) { r.top_p = p; }};
}

std::vector<AxisValue> words_axis(const std::string& list, const std::string& prompt) {
  const std::vector<std::string> words = split(list);
  const std::string& first = words.front();
  if (first.empty() || prompt.find(first) == std::string::npos) {
    refuse("the first of words=... is replaced, but " + quote(first, 60) +
           " does not stand in the prompt");
  }
  std::vector<AxisValue> values;
  for (const std::string& word : words) {
    values.push_back({word, [first, word](DrawRequest& r) {
                        for (size_t at = r.prompt.find(first); at != std::string::npos;
                             at = r.prompt.find(first, at + word.size())) {
                          r.prompt.replace(at, first.size(), word);
                        }
                      }});
  }
  return values;
}

}  // namespace

std::vector<AxisValue> parse_axis(const std::string& text, const std::string& prompt) {
  const size_t equals = text.find('=');
  std::string name = text.substr(0, equals);
  if (name == "temperature") name = "temp";
  const bool known =
      name == "seed" || name == "cfg" || name == "temp" || name == "top-k" || name == "top-p";
  if (equals == std::string::npos || !(known || name == "words")) {
    refuse(
        "an axis is seed, cfg, temp, top-k, top-p or words with = and values, such as cfg=3,5,7, "
        "not " +
        quote(text, 60));
  }
  const std::string list = text.substr(equals + 1);
  std::vector<AxisValue> values;
  if (known) {
    for (const std::string& value : numbers(name, list)) values.push_back(numeric(name, value));
  } else {
    values = words_axis(list, prompt);
  }
  if (values.size() > kMostValues)
    refuse(fmt::format("an axis of more than {} values", kMostValues));
  return values;
}

}  // namespace bifrons
