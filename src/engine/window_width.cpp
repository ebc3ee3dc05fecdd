// Measurements are noisy and the load of the machine changes. So a time is the median of the latest
// passes, old times are forgotten, and widths beside the best one are probed again from time to
// time, at a bounded cost.
#include "src/engine/window_width.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <iterator>
#include <vector>

namespace bifrons {
namespace {

constexpr std::array<int64_t, 12> kWidths = {1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64};

constexpr size_t kTimes = 7;       // latest passes whose median counts
constexpr int64_t kForgets = 512;  // passes after which a number of columns counts as not measured
constexpr size_t kTrials = 2;      // passes after which a number of columns counts as measured
constexpr double kMemory = 128;    // passes over which the mean of the codes reaches

// Before anything is measured a window of W columns is taken to give W^0.7 codes (the storybook
// model: 1.6, 2.5, 3.8 and 5 codes at 2, 4, 8 and 16 columns). Weights in passes.
constexpr double kExponent = 0.7, kExponentWeight = 4, kLawWeight = 8;

constexpr double kProbeShare = 0.005;  // share of the time that probes may cost
constexpr int64_t kPassesBetween = 16;

double median(const std::deque<double>& times) {
  std::vector<double> sorted(times.begin(), times.end());
  const auto middle = sorted.begin() + static_cast<int64_t>(sorted.size() - 1) / 2;
  std::nth_element(sorted.begin(), middle, sorted.end());
  return *middle;
}

}  // namespace

bool WindowWidth::measured(int64_t columns) const {
  const auto known = times_.find(columns);
  return known != times_.end() && known->second.latest.size() >= kTrials;
}

// Interpolates between measured numbers of columns, and continues the last slope beyond them.
double WindowWidth::seconds(int64_t columns) const {
  const auto above = times_.lower_bound(columns);
  if (above == times_.begin()) {
    return above != times_.end() && above->first == columns ? median(above->second.latest) : 0;
  }
  if (above != times_.end() && above->first == columns) return median(above->second.latest);
  auto low = std::prev(above), high = above;
  if (above == times_.end()) {
    if (low == times_.begin()) return median(low->second.latest);
    high = low--;
  }
  const double from = median(low->second.latest), to = std::max(from, median(high->second.latest));
  const double slope = (to - from) / static_cast<double>(high->first - low->first);
  return from + slope * static_cast<double>(columns - low->first);
}

double WindowWidth::codes(int64_t width) const {
  if (width == 1) return 1;
  // Least squares for log(codes) = exponent log(width).
  double above = kExponentWeight * kExponent, below = kExponentWeight;
  for (const auto& [w, seen] : codes_) {
    const double size = std::log(static_cast<double>(w));
    above += seen.passes * std::log(std::max(1.0, seen.mean)) * size;
    below += seen.passes * size * size;
  }
  const double law = std::pow(static_cast<double>(width), above / below);
  const auto known = codes_.find(width);
  if (known == codes_.end()) return law;
  const Codes& seen = known->second;
  return (law * kLawWeight + seen.mean * seen.passes) / (kLawWeight + seen.passes);
}

double WindowWidth::rate(int64_t lanes, int64_t width) const {
  return static_cast<double>(lanes) * codes(width) / seconds(lanes * width);
}

int64_t WindowWidth::best(int64_t lanes, int64_t most) const {
  if (!measured(lanes)) return 1;
  int64_t largest = lanes;  // no column number beyond it was measured
  for (const auto& [columns, times] : times_) {
    if (times.latest.size() >= kTrials) largest = std::max(largest, columns);
  }
  int64_t best = 1;
  for (const int64_t width : kWidths) {
    if (width > most || lanes * width > largest) break;
    if (rate(lanes, width) > rate(lanes, best)) best = width;
  }
  return best;
}

int64_t WindowWidth::choose(int64_t lanes, int64_t most) {
  ++since_probe_;
  if (!measured(lanes)) return chosen_ = 1;
  const int64_t now = best(lanes, most);
  // The narrowest width that was not measured, if it promises more.
  for (const int64_t width : kWidths) {
    if (width > most) break;
    if (width < now || measured(lanes * width)) continue;
    const bool beyond = times_.upper_bound(lanes * width) == times_.end();
    if (rate(lanes, width) > rate(lanes, now)) return chosen_ = width;
    if (beyond) break;
  }
  return chosen_ = probe(lanes, most, now);
}

// The best width, or now and then one beside it.
int64_t WindowWidth::probe(int64_t lanes, int64_t most, int64_t best) {
  if (since_probe_ < kPassesBetween) return best;
  const auto at = std::find(kWidths.begin(), kWidths.end(), best);
  for (int turn = 0; turn < 2; ++turn) {
    wider_ = !wider_;
    if (wider_ ? std::next(at) == kWidths.end() : at == kWidths.begin()) continue;
    const int64_t width = wider_ ? *std::next(at) : *std::prev(at);
    if (width > most) continue;
    const double loss =
        seconds(lanes * width) - static_cast<double>(lanes) * codes(width) / rate(lanes, best);
    if (2 * loss > allowance_) continue;
    allowance_ = 0;
    since_probe_ = 0;
    return width;
  }
  return best;
}

void WindowWidth::took(int64_t lanes, int64_t width, double seconds, int64_t codes) {
  allowance_ += kProbeShare * seconds;
  Times& times = times_[lanes * width];
  times.latest.push_back(seconds);
  if (times.latest.size() > kTimes) times.latest.pop_front();
  times.pass = ++passes_;
  std::erase_if(times_, [&](const auto& known) { return known.second.pass < passes_ - kForgets; });
  // A window that was cut at the end of a picture says nothing about its width.
  if (width == 1 || width != chosen_) return;
  Codes& seen = codes_[width];
  seen.passes = std::min(kMemory, seen.passes + 1);
  seen.mean += (static_cast<double>(codes) / static_cast<double>(lanes) - seen.mean) / seen.passes;
}

}  // namespace bifrons
