// Measurements are noisy and the machine's load changes. So a time is the minimum of the latest
// passes, and a wider window must be better by a margin. Old times are discarded. Widths next to
// the best one are probed from time to time, at a bounded cost.
#include "src/engine/window_width.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <iterator>
#include <limits>

namespace bifrons {
namespace {

constexpr std::array<int64_t, 12> kWidths = {1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64};

constexpr size_t kTimes = 7;        // latest passes of which the minimum is taken
constexpr int64_t kForgets = 512;   // passes after which a measured time is dropped
constexpr size_t kTrials = 2;       // passes until a number of columns counts as measured
constexpr size_t kPlainTrials = 4;  // passes without windows before the first window
constexpr double kMemory = 128;     // passes in the mean of the codes

// Prior before any measurement: a window of W columns gives W^0.7 codes (storybook model: 1.6, 2.5,
// 3.8 and 5 codes at 2, 4, 8 and 16 columns). The weights are in passes.
constexpr double kExponent = 0.7, kExponentWeight = 4, kLawWeight = 8;

// Minimum gain in codes a second for a wider window, as a factor.
constexpr double kMargin = 1.03;

constexpr double kProbeShare = 0.005;  // largest share of the time for probes
constexpr int64_t kPassesBetween = 16;
constexpr int64_t kPlainBetween = 64;  // passes after which one without windows is measured again
constexpr int64_t kChoiceHolds = 8;    // passes until a settled choice is made again

// Other load only makes a pass slower. So the minimum is the best estimate, and a width with few
// passes has no advantage over one with many.
double fastest(const std::deque<double>& times) {
  return *std::min_element(times.begin(), times.end());
}

}  // namespace

bool WindowWidth::measured(int64_t columns) const {
  const auto known = times_.find(columns);
  return known != times_.end() && known->second.latest.size() >= kTrials;
}

// Interpolates between measured numbers of columns, and extrapolates the last slope beyond them.
double WindowWidth::seconds(int64_t columns) const {
  if (curve_.empty() || columns < curve_.front().columns) return 0;
  auto high = std::lower_bound(curve_.begin(), curve_.end(), columns,
                               [](const Point& p, int64_t c) { return p.columns < c; });
  if (high != curve_.end() && high->columns == columns) return high->seconds;
  if (high == curve_.end()) --high;
  if (high == curve_.begin()) return high->seconds;
  const Point& low = *std::prev(high);
  const double slope =
      (high->seconds - low.seconds) / static_cast<double>(high->columns - low.columns);
  return low.seconds + slope * static_cast<double>(columns - low.columns);
}

// More columns never take less time. So each time is limited to the times of more columns.
void WindowWidth::fit_seconds() {
  curve_.clear();
  for (const auto& [columns, times] : times_) curve_.push_back({columns, fastest(times.latest)});
  for (size_t i = curve_.size(); i-- > 1;) {
    curve_[i - 1].seconds = std::min(curve_[i - 1].seconds, curve_[i].seconds);
  }
}

// Least squares for log(codes) = exponent log(width).
void WindowWidth::fit_codes() {
  double above = kExponentWeight * kExponent, below = kExponentWeight;
  for (const auto& [width, seen] : codes_) {
    const double size = std::log(static_cast<double>(width));
    above += seen.passes * std::log(std::max(1.0, seen.mean)) * size;
    below += seen.passes * size * size;
  }
  exponent_ = above / below;
}

double WindowWidth::codes(int64_t width) const {
  if (width == 1) return 1;
  const double law = std::pow(static_cast<double>(width), exponent_);
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
  int64_t largest = lanes;  // largest number of columns with a measurement
  for (const auto& [columns, times] : times_) {
    if (times.latest.size() >= kTrials) largest = std::max(largest, columns);
  }
  int64_t best = 1;
  for (const int64_t width : kWidths) {
    if (width > most || lanes * width > largest) break;
    if (rate(lanes, width) > kMargin * rate(lanes, best)) best = width;
  }
  return best;
}

int64_t WindowWidth::choose(int64_t lanes, int64_t most) {
  ++since_probe_;
  ++since_plain_;
  if (lanes == lanes_ && most == most_ && holds_-- > 0) return chosen_;
  lanes_ = lanes;
  most_ = most;
  holds_ = 0;
  const auto plain = times_.find(lanes);
  const size_t trials = plain == times_.end() ? 0 : plain->second.latest.size();
  const int64_t now = trials < kPlainTrials ? 1 : best(lanes, most);
  if (now == 1) since_plain_ = 0;
  // A time without windows that was measured under load makes windows look better than they are.
  if (trials < kPlainTrials || since_plain_ >= kPlainBetween) {
    since_plain_ = 0;
    return chosen_ = 1;
  }
  // The narrowest width without a measurement, if its estimate is better.
  for (const int64_t width : kWidths) {
    if (width > most) break;
    if (width < now || measured(lanes * width)) continue;
    if (rate(lanes, width) > kMargin * rate(lanes, now)) return chosen_ = width;
    if (lanes * width > times_.rbegin()->first) break;
  }
  chosen_ = probe(lanes, most, now);
  if (chosen_ == now) holds_ = kChoiceHolds - 1;
  return chosen_;
}

// The best width, or from time to time one next to it.
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
  fit_seconds();
  // A window cut at the end of a picture gives no information about its width.
  if (width == 1 || width != chosen_) return;
  Codes& seen = codes_[width];
  seen.passes = std::min(kMemory, seen.passes + 1);
  seen.mean += (static_cast<double>(codes) / static_cast<double>(lanes) - seen.mean) / seen.passes;
  fit_codes();
}

}  // namespace bifrons
