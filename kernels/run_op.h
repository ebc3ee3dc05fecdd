// How Backend runs an op: it is always counted, and timed if time_ops() asked for that.
#pragma once

#include <chrono>
#include <utility>

#include "kernels/backend.h"

namespace bifrons {

template <typename OpFunction>
bool Backend::run_if(Op op, int64_t bytes, int64_t flops, OpFunction op_function) {
  if (!times_) {
    if (!op_function()) return false;
    meter_.add(op, bytes, flops);
    return true;
  }
  const auto start = std::chrono::steady_clock::now();
  if (!op_function()) return false;
  synchronize();
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
  times_->add(op, took.count());
  meter_.add(op, bytes, flops);
  return true;
}

template <typename OpFunction>
void Backend::run(Op op, int64_t bytes, int64_t flops, OpFunction op_function) {
  run_if(op, bytes, flops, [&] {
    op_function();
    return true;
  });
}

}  // namespace bifrons
