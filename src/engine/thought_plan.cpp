// The boxes that a model plans in its thought, read tolerantly.
#include <algorithm>
#include <array>
#include <cmath>
#include <optional>

#include "src/io/text.h"
#include "src/think.h"

namespace bifrons {
namespace {

constexpr std::string_view kNameStart = "<|obj_start|>", kNameEnd = "<|obj_end|>";
constexpr std::string_view kBoxStart = "<|box_start|>", kBoxEnd = "<|box_end|>";
constexpr double kSide = 1000;      // coordinates of a whole side
constexpr size_t kMostBoxes = 256;  // more are no plan

// The first four numbers of `text`; other signs separate them.
std::optional<std::array<double, 4>> four_numbers(std::string_view text) {
  std::array<double, 4> numbers{};
  size_t count = 0;
  for (size_t i = 0; i < text.size();) {
    if (text[i] < '0' || text[i] > '9') {
      ++i;
      continue;
    }
    const bool negative = i > 0 && text[i - 1] == '-';
    double value = 0, unit = 1;
    for (; i < text.size() && text[i] >= '0' && text[i] <= '9'; ++i) {
      value = std::min(10 * value + (text[i] - '0'), 1e9);
    }
    if (i + 1 < text.size() && text[i] == '.' && text[i + 1] >= '0' && text[i + 1] <= '9') {
      for (++i; i < text.size() && text[i] >= '0' && text[i] <= '9'; ++i) {
        unit /= 10;
        value += unit * (text[i] - '0');
      }
    }
    if (count == numbers.size()) return std::nullopt;  // five numbers are not a box
    numbers[count++] = negative ? -value : value;
  }
  if (count < numbers.size()) return std::nullopt;
  return numbers;
}

double share(double coordinate) { return std::clamp(coordinate / kSide, 0.0, 1.0); }

}  // namespace

std::vector<PlannedBox> plan_of(std::string_view thought) {
  std::vector<PlannedBox> boxes;
  std::string name;
  size_t at = 0;
  while (at < thought.size() && boxes.size() < kMostBoxes) {
    const size_t named = thought.find(kNameStart, at), boxed = thought.find(kBoxStart, at);
    if (boxed == thought.npos) break;
    if (named < boxed) {
      const size_t begin = named + kNameStart.size();
      const size_t end = std::min(thought.find(kNameEnd, begin), boxed);
      name = trimmed(thought.substr(begin, end - begin));
      at = std::max(end, begin);
      continue;
    }
    const size_t begin = boxed + kBoxStart.size();
    const size_t end = std::min({thought.find(kBoxEnd, begin), thought.find(kBoxStart, begin),
                                 thought.find(kNameStart, begin), thought.size()});
    at = end;
    const auto n = four_numbers(thought.substr(begin, end - begin));
    if (!n) continue;
    boxes.push_back({name, share(std::min((*n)[0], (*n)[2])), share(std::min((*n)[1], (*n)[3])),
                     share(std::max((*n)[0], (*n)[2])), share(std::max((*n)[1], (*n)[3]))});
  }
  return boxes;
}

}  // namespace bifrons
