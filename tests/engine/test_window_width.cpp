// Choice of the window width, on simulated machines with known times.
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <random>

#include "src/engine/window_width.h"

namespace bifrons {
namespace {

// A machine and a model: seconds of a pass by columns, mean codes of a window by width.
struct Machine {
  std::function<double(int64_t)> seconds;
  std::function<double(int64_t)> codes;
  double noise = 0;
  double preempted = 0;  // share of the passes that take up to ten times as long

  struct Run {
    double seconds = 0, codes = 0;
    int64_t width = 0;  // of the last pass
    double rate() const { return codes / seconds; }
  };
  Run run(WindowWidth& widths, int64_t lanes, int64_t most, int64_t passes) const {
    std::mt19937 random(5);
    std::normal_distribution<double> normal;
    Run sum;
    for (int64_t pass = 0; pass < passes; ++pass) {
      const int64_t width = widths.choose(lanes, most);
      EXPECT_LE(width, most);
      double took = seconds(lanes * width) * std::exp(noise * normal(random));
      const auto percent = static_cast<double>(random() % 100);
      if (percent < 100 * preempted) took *= 1 + static_cast<double>(random() % 10);
      const double mean = static_cast<double>(lanes) * codes(width);
      const auto whole = static_cast<int64_t>(mean);
      const double rest = mean - static_cast<double>(whole);
      const int64_t got = whole + (static_cast<double>(random() % 1000) < 1000 * rest ? 1 : 0);
      widths.took(lanes, width, took, got);
      sum.seconds += seconds(lanes * width);  // without noise and load
      sum.codes += static_cast<double>(got);
      sum.width = width;
    }
    return sum;
  }
  double best_rate(int64_t lanes, int64_t most) const {
    double best = 0;
    for (int64_t w = 1; w <= most; ++w) {
      best = std::max(best, static_cast<double>(lanes) * codes(w) / seconds(lanes * w));
    }
    return best;
  }
  double plain_rate(int64_t lanes) const { return static_cast<double>(lanes) / seconds(lanes); }
};

// Codes of the storybook model at guidance 5 (64 passes each at widths 2, 4, 8, 16, 32).
double storybook(int64_t width) { return std::pow(static_cast<double>(width), 0.66); }

// Seconds of a pass: `floor` for the weights, and `column` for each column.
Machine machine(double floor, double column, double noise) {
  return {[=](int64_t columns) {
            return std::max(floor, 0.3 * floor + column * static_cast<double>(columns));
          },
          storybook, noise};
}

TEST(WindowWidth, ComesNearTheBestRateWhereWindowsPay) {
  for (const double noise : {0.0, 0.05}) {
    for (const double column : {0.02, 0.05, 0.1}) {
      const Machine m = machine(1.0, column, noise);
      WindowWidth widths;
      EXPECT_GT(m.run(widths, 1, 64, 100).rate(), 1.5 * m.plain_rate(1)) << column;
      EXPECT_GT(m.run(widths, 1, 64, 400).rate(), 0.9 * m.best_rate(1, 64)) << column;
    }
  }
}

// Windows never pay when every column costs as much as the first.
TEST(WindowWidth, LosesLittleWhereTheyDoNotPay) {
  for (const auto& [noise, preempted] : {std::pair{0.0, 0.0}, {0.05, 0.0}, {0.02, 0.3}}) {
    for (const int64_t lanes : {1, 4, 16}) {
      const Machine m{[](int64_t columns) { return static_cast<double>(columns); }, storybook,
                      noise, preempted};
      WindowWidth widths;
      const Machine::Run run = m.run(widths, lanes, 64 / lanes, 1000);
      EXPECT_GT(run.rate(), 0.98 * m.plain_rate(lanes)) << lanes << " lanes, noise " << noise;
    }
  }
}

TEST(WindowWidth, NarrowsAsLanesFillUp) {
  const Machine m = machine(1.0, 0.06, 0);
  WindowWidth widths;
  m.run(widths, 1, 64, 300);
  const int64_t alone = widths.best(1, 64);
  EXPECT_GT(alone, 4);
  m.run(widths, 4, 16, 100);
  EXPECT_LT(widths.best(4, 16), alone);
  m.run(widths, 16, 4, 100);
  EXPECT_EQ(widths.best(16, 4), 1);
}

TEST(WindowWidth, FollowsAMachineThatChanges) {
  Machine m = machine(1.0, 0.02, 0);
  WindowWidth widths;
  m.run(widths, 1, 64, 300);
  EXPECT_GE(widths.best(1, 64), 8);
  m.seconds = [](int64_t columns) { return static_cast<double>(columns); };
  m.run(widths, 1, 64, 1500);
  EXPECT_EQ(widths.best(1, 64), 1);
  m.seconds = machine(1.0, 0.02, 0).seconds;
  m.run(widths, 1, 64, 3000);
  EXPECT_GE(widths.best(1, 64), 8);
}

TEST(WindowWidth, NeverExceedsTheMost) {
  const Machine m = machine(1.0, 0.0, 0);
  for (const int64_t most : {1, 2, 5, 7}) {
    WindowWidth widths;
    m.run(widths, 1, most, 200);
    EXPECT_LE(widths.best(1, most), most);
  }
}

}  // namespace
}  // namespace bifrons
