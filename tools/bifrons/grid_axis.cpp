// Values are listed one by one or as a range. Each is checked like the command line's own options.
#include "tools/bifrons/grid_axis.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <limits>

#include "src/io/quote.h"
#include "src/io/text.h"
#include "src/prompts/setting_names.h"
#include "src/settings/settings.h"
#include "tools/bifrons/csv_list.h"
#include "tools/bifrons/settings.h"

namespace bifrons::cli {
namespace {

constexpr size_t kMostValues = 100;

[[noreturn]] void refuse(const std::string& sentence) { throw Error(ErrorKind::kUsage, sentence); }

void check_count(size_t values) {
  if (values > kMostValues) refuse(fmt::format("an axis of more than {} values", kMostValues));
}

// The parts of "first..last+step". The step is optional.
struct Range {
  std::string first, last, step = "1";
};

std::optional<Range> range_of(const std::string& text) {
  const size_t dots = text.find("..");
  if (dots == std::string::npos) return std::nullopt;
  Range range{.first = text.substr(0, dots)};
  const size_t plus = text.find('+', dots);
  range.last = text.substr(dots + 2, plus == text.npos ? plus : plus - dots - 2);
  if (plus != text.npos) range.step = text.substr(plus + 1);
  return range;
}

[[noreturn]] void refuse_range(const std::string& name) {
  refuse(name + " takes ranges such as 1..4 or 1..9+2, from the lower to the higher end");
}

// A range of integers, exact in all 64 bits.
std::vector<std::string> whole_range(const std::string& name, const Range& range) {
  const auto whole = [&](const std::string& part) {
    return parse_whole(name, part, 0, std::numeric_limits<uint64_t>::max());
  };
  const uint64_t first = whole(range.first), last = whole(range.last), step = whole(range.step);
  if (step == 0 || last < first) refuse_range(name);
  std::vector<std::string> values;
  for (uint64_t value = first;; value += step) {
    values.push_back(std::to_string(value));
    check_count(values.size());
    if (last - value < step) return values;
  }
}

std::vector<std::string> real_range(const std::string& name, const Range& range) {
  const auto real = [&](const std::string& part) { return parse_real(name, part, 0, 1e15); };
  const double first = real(range.first), last = real(range.last), step = real(range.step);
  if (!(step > 0) || last < first) refuse_range(name);
  std::vector<std::string> values;
  // Computed from the first value, so that rounding errors do not add up.
  for (size_t i = 0;; ++i) {
    const double value = first + static_cast<double>(i) * step;
    if (value > last + step * 1e-9) return values;
    values.push_back(fmt::format("{:.12g}", value));
    check_count(values.size());
  }
}

// A list of all values, with ranges expanded. `check` is applied to the ends of a range of reals,
// which must be valid values of the setting.
std::vector<std::string> numbers(const std::string& name, const std::string& list, bool whole,
                                 const std::function<void(const std::string&)>& check) {
  std::vector<std::string> values;
  for (std::string& value : split_csv(list)) {
    value.erase(0, std::min(value.find_first_not_of(' '), value.size()));
    value.erase(value.find_last_not_of(' ') + 1);
    if (const auto range = range_of(value)) {
      if (!whole) {
        check(range->first);
        check(range->last);
      }
      const auto more = whole ? whole_range(name, *range) : real_range(name, *range);
      values.insert(values.end(), more.begin(), more.end());
    } else {
      values.push_back(std::move(value));
    }
    check_count(values.size());
  }
  return values;
}

template <typename T>
AxisValue setting(const std::string& name, T DrawRequest::*member, T value) {
  return {fmt::format("{} {}", name, value),
          [member, value](DrawRequest& request) { request.*member = value; },
          {}};
}

AxisValue numeric(Field field, const std::string& name, const std::string& value) {
  AxisValue result;
  for_each_number([&]<typename T>(const Setting<T>& each) {
    if (each.field != field) return;
    const T number = each.field == Field::kSeed ? static_cast<T>(parse_seed(name, value))
                                                : parse_setting(each, name, value);
    result = setting<T>(name, each.value, number);
  });
  return result;
}

// "top-k" of the option --top-k.
std::string_view axis_name(std::string_view flags) { return option_of(flags).substr(2); }

std::vector<AxisValue> words_axis(const std::string& list, const std::string& prompt) {
  const std::vector<std::string> words = split_csv(list);
  const std::string& first = words.front();
  if (first.empty() || prompt.find(first) == std::string::npos) {
    refuse("the first of words=... is replaced, but " + quote(first, 60) +
           " does not stand in the prompt");
  }
  std::vector<AxisValue> values;
  for (const std::string& word : words) {
    const bool blank = word.find_first_not_of(" \t\n") == std::string::npos;
    values.push_back({blank ? "without " + first : word, {}, word});
  }
  return values;
}

// The axis of a setting by its name or an alias. Empty for any other text.
std::string_view setting_name(std::string_view text) {
  const std::optional<Field> field = field_of(text);
  std::string_view name;
  for_each_number([&](const auto& each) {
    if (each.field == field) name = axis_name(each.flags);
  });
  return name;
}

bool is_whole(Field field) {
  bool whole = false;
  for_each_number([&]<typename T>(const Setting<T>& each) {
    whole = whole || (each.field == field && !std::same_as<T, double>);
  });
  return whole;
}

// All positions of `word` in `prompt`, in order.
std::vector<size_t> places_of(const std::string& word, const std::string& prompt) {
  std::vector<size_t> places;
  for (size_t at = prompt.find(word); at != std::string::npos;
       at = prompt.find(word, at + word.size())) {
    places.push_back(at);
  }
  return places;
}

}  // namespace

std::string axis_words() {
  std::string words;
  for_each_number([&](const auto& each) { words += fmt::format("{}= ", axis_name(each.flags)); });
  return words + "words=";
}

std::string axis_examples() {
  std::string examples;
  for_each_number([&](const auto& each) {
    examples += fmt::format("{}={}, ", axis_name(each.flags), each.example);
  });
  return examples + "or words=red,blue,green";
}

Axis parse_axis(const std::string& text, const std::string& prompt) {
  const size_t equals = text.find('=');
  Axis axis{std::string(setting_name(text.substr(0, equals))), {}};
  if (text.starts_with("words=")) axis.name = "words";
  if (equals == std::string::npos || axis.name.empty()) {
    std::string names;
    for_each_number([&](const auto& each) {
      names += (names.empty() ? "" : ", ") + std::string(axis_name(each.flags));
    });
    refuse("an axis is " + names + " or words with = and values, such as cfg=3,5,7, not " +
           quote(text, 60));
  }
  const std::string list = text.substr(equals + 1);
  if (axis.of_words()) {
    axis.values = words_axis(list, prompt);
  } else {
    const Field field = *field_of(axis.name);
    const auto check = [&](const std::string& end) { numeric(field, axis.name, end); };
    for (const std::string& value : numbers(axis.name, list, is_whole(field), check)) {
      axis.values.push_back(numeric(field, axis.name, value));
    }
  }
  check_count(axis.values.size());
  for (size_t i = 0; i < axis.values.size(); ++i) {
    for (size_t j = 0; j < i; ++j) {
      if (axis.values[i].caption != axis.values[j].caption) continue;
      refuse("the axis " + quote(text, 60) + " has " + quote(axis.values[i].caption, 60) +
             " twice; each value gives one row or column");
    }
  }
  return axis;
}

void check_axes(const Axis& across, const Axis& down, const std::string& prompt) {
  if (across.name != down.name) return;
  if (!across.of_words()) {
    refuse("both axes set " + across.name +
           "; a picture has only one, so take another axis for -y");
  }
  const std::string &a = across.values.front().word, &b = down.values.front().word;
  for (const size_t at : places_of(a, prompt)) {
    for (const size_t other : places_of(b, prompt)) {
      if (at < other + b.size() && other < at + a.size()) {
        refuse("both axes replace the same place of the prompt: " + quote(a, 60) + " and " +
               quote(b, 60) + " overlap there");
      }
    }
  }
}

DrawRequest cell_request(const DrawRequest& base,
                         const std::vector<std::pair<const Axis*, const AxisValue*>>& values) {
  DrawRequest request = base;
  std::vector<std::pair<std::string_view, std::string_view>> words;
  for (const auto& [axis, value] : values) {
    if (axis->of_words()) {
      words.emplace_back(axis->values.front().word, value->word);
    } else {
      value->apply(request);
    }
  }
  std::string prompt;
  for (size_t at = 0; at < base.prompt.size();) {
    const auto here = std::find_if(words.begin(), words.end(), [&](const auto& pair) {
      return std::string_view(base.prompt).substr(at).starts_with(pair.first);
    });
    if (here == words.end()) {
      prompt += base.prompt[at++];
    } else {
      prompt += here->second;
      at += here->first.size();
    }
  }
  request.prompt = std::move(prompt);
  return request;
}

}  // namespace bifrons::cli
