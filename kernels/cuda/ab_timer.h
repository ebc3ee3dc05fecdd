// Two-way autotuner: times two variants of the same work while both are in use, and finds the
// faster one.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <vector>

namespace bifrons::cuda {

class AbTimer {
 public:
  // Timed runs, half of them of each variant; then the medians are compared.
  static constexpr int kTurns = 16;

  // Variant to time next; nullopt when all runs have started. The order is ABBA, so that drift
  // cancels out.
  std::optional<int> next() {
    if (begun_ == kTurns) return std::nullopt;
    const int turn = begun_++;
    return turn % 4 == 1 || turn % 4 == 2 ? 1 : 0;
  }
  void took(int way, float milliseconds) { took_[way].push_back(milliseconds); }
  // The faster variant; nullopt until all runs have ended. A tie goes to variant 0.
  std::optional<int> winner() const {
    if (took_[0].size() + took_[1].size() < kTurns) return std::nullopt;
    return median(took_[1]) < median(took_[0]) ? 1 : 0;
  }

 private:
  static float median(std::vector<float> times) {
    std::sort(times.begin(), times.end());
    return (times[(times.size() - 1) / 2] + times[times.size() / 2]) / 2;
  }

  int begun_ = 0;
  std::array<std::vector<float>, 2> took_;
};

}  // namespace bifrons::cuda
