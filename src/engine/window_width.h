// Chooses the width of the windows of speculative decoding while it runs: the width that gives most
// codes a second on this device, with this model and this many lanes.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <vector>

namespace bifrons {

// Two things are measured: the seconds of a pass by its number of columns, and the codes that a
// window of some width gives. The codes of a width that was not tried follow from a power law of
// those that were. Wider windows are tried while the measurements promise more codes a second.
class WindowWidth {
 public:
  // Width of the next pass of `lanes`, at most `most`.
  int64_t choose(int64_t lanes, int64_t most);
  // A pass took so long and gave `codes` in all lanes together.
  void took(int64_t lanes, int64_t width, double seconds, int64_t codes);

  // Width that gives most codes a second by what was measured so far; 1 before that.
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
  std::vector<Point> curve_;        // seconds by columns, rising
  double exponent_ = 0.7;           // codes by width
  int64_t passes_ = 0;
  int64_t lanes_ = 0, most_ = 0, holds_ = 0;  // of the last choice; for so many passes it holds
  int64_t chosen_ = 0;
  double allowance_ = 0;  // seconds that probes may cost
  int64_t since_probe_ = 0;
  int64_t since_plain_ = 0;  // passes with windows since the last one without
  bool wider_ = false;       // direction of the last probe
};

}  // namespace bifrons
