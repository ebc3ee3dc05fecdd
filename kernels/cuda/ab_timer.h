// Two ways to do the same, of which the faster one is found out while both are used.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <vector>

namespace bifrons::cuda {

class AbTimer {
 public:
  // Turns that are timed, half of them each way; then the medians are compared.
  static constexpr int kTurns = 16;

  // The way of the next turn to be timed; nothing when all have begun. Back and forth, so that what
  // grows from turn to turn favours neither.
  std::optional<int> next() {
    if (begun_ == kTurns) return std::nullopt;
    const int turn = begun_++;
    return turn % 4 == 1 || turn % 4 == 2 ? 1 : 0;
  }
  void took(int way, float milliseconds) { took_[way].push_back(milliseconds); }
  // What is known when all turns have ended: a tie goes to way 0.
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
