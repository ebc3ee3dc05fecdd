// Chooses the window width of speculative decoding at run time: the width with the most codes a
// second on this device, with this model and this many lanes.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <vector>

namespace bifrons {

// Measures the seconds of a pass by its number of columns, and the codes of a window by its width.
// A power law fitted to the measured widths estimates the codes of the others. Wider windows are
// tried while the estimates promise more codes a second.
class WindowWidth {
 public:
  // Width of the next pass of `lanes`, at most `most`.
  int64_t choose(int64_t lanes, int64_t most);
  // Records a pass: its duration in seconds, and its `codes` in all lanes together.
  void took(int64_t lanes, int64_t width, double seconds, int64_t codes);

  // Width with the most codes a second so far; 1 before any measurement.
  int64_t best(int64_t lanes, int64_t most) const;
  // Expected codes of one lane in a pass.
  double codes(int64_t width) const;
  // Expected seconds of a pass; 0 when no pass of so few columns was measured.
  double seconds(int64_t columns) const;

 private:
  struct Times {
    std::deque<double> latest;
    int64_t pass = 0;  // of the last one
  };
  struct Codes {
    double passes = 0;  // weight of the mean, at most kMemory
    double mean = 0;
  };
  struct Point {
    int64_t columns;
    double seconds;
  };
  void fit_seconds();
  void fit_codes();
  bool measured(int64_t columns) const;
  double rate(int64_t lanes, int64_t width) const;
  int64_t probe(int64_t lanes, int64_t most, int64_t best);

  std::map<int64_t, Times> times_;  // of passes, by columns
  std::map<int64_t, Codes> codes_;  // by width
  std::vector<Point> curve_;        // seconds by columns, increasing
  double exponent_ = 0.7;           // codes by width
  int64_t passes_ = 0;
  int64_t lanes_ = 0, most_ = 0, holds_ = 0;  // of the last choice; passes until the next
  int64_t chosen_ = 0;
  double allowance_ = 0;  // seconds that probes may cost
  int64_t since_probe_ = 0;
  int64_t since_plain_ = 0;  // passes with windows since the last one without
  bool wider_ = false;       // direction of the last probe
};

}  // namespace bifrons
