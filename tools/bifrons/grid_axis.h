// An axis of `bifrons grid`: what changes from one column or row to the next.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "src/bifrons.h"

namespace bifrons {

struct AxisValue {
  std::string caption;
  std::function<void(DrawRequest&)> apply;
};

// "seed=1..4", "cfg=3,5,7", "temp=0..1+0.25", "top-k=...", "top-p=...", or "words=red,blue", whose
// first word must stand in `prompt` and is replaced by each of them. Throws Error (usage).
std::vector<AxisValue> parse_axis(const std::string& text, const std::string& prompt);

}  // namespace bifrons
