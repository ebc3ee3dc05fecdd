// Launches, including nested ones.
#include "tests/ptx/interpreter.h"

#include "tests/ptx/block.h"

namespace ptx {

Interpreter::Interpreter(uint64_t seed) : random_(static_cast<uint32_t>(seed)) {}

Interpreter::~Interpreter() = default;

void Interpreter::run(const Kernel& kernel, const LaunchShape& shape,
                      std::vector<std::byte> parameters, const std::function<void()>* before) {
  if (levels_.size() == level_) levels_.push_back(std::make_unique<Block>(*this));
  Block& block = *levels_[level_++];
  struct Leave {
    Interpreter& all;
    ~Leave() {
      if (--all.level_ == 0) all.moments_.forget();
    }
  } leave{*this};
  block.run(kernel, shape, std::move(parameters), before);
}

}  // namespace ptx
