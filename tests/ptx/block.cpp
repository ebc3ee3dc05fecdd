// Runs the warps of a block until they wait: control flow, barriers and random scheduling.
#include "tests/ptx/block.h"

#include <algorithm>
#include <bit>
#include <limits>
#include <numeric>

#include "tests/ptx/lanes.h"

namespace ptx {
namespace {

constexpr int64_t kMostShared = 227 << 10;    // maximum of any GPU
constexpr int64_t kUnaskedShared = 48 << 10;  // limit without the kernel's opt-in

Size place_in(const Size& size, int index) {
  return {index % size.x, index / size.x % size.y, index / size.x / size.y};
}

uint32_t lanes_of(int threads, int warp) {
  const int lanes = std::min(kWarp, threads - warp * kWarp);
  return lanes == kWarp ? kAllLanes : (uint32_t{1} << lanes) - 1;
}

}  // namespace

void Block::stop(const Instruction& i, const std::string& why) {
  find(i, why);
  throw Stopped(kernel_->file + ":" + std::to_string(i.line) + " " + i.text + ": " + why);
}

void Block::check_launch() {
  const int64_t shared = kernel_->static_shared + shape_.dynamic_shared;
  if (threads_ > kernel_->most_threads || threads_ > 1024 || threads_ < 1) {
    throw Stopped(kernel_->name + ": " + std::to_string(threads_) + " threads in a block");
  }
  if (shared > kMostShared) throw Stopped(kernel_->name + ": more shared memory than any GPU has");
  const int64_t allowed =
      shape_.asked_shared > 0 ? shape_.asked_shared : kUnaskedShared - kernel_->static_shared;
  if (shape_.dynamic_shared > allowed) {
    all_.findings_.add("more shared memory than was asked for (" + kernel_->name + ")");
  }
  if (parameters_.size() != kernel_->parameter_bytes) {
    throw Stopped(kernel_->name + ": the parameters have another size");
  }
}

void Block::run(const Kernel& kernel, const LaunchShape& shape, std::vector<std::byte> parameters,
                const std::function<void()>* before) {
  kernel_ = &kernel;
  shape_ = shape;
  parameters_ = std::move(parameters);
  before_ = before;
  before_done_ = before == nullptr;
  launch_ = ++all_.launches_;
  threads_ = shape.threads.count();
  check_launch();
  const int blocks = shape.blocks.count();
  clocks_.emplace(blocks);
  order_.emplace(all_.moments_, *clocks_, started_);
  started_.clear();
  early_reads_.clear();
  last_area_.assign(kernel.code.size(), nullptr);
  generation_ = all_.memory_.generation();
  warps_used_ = (threads_ + kWarp - 1) / kWarp;
  if (warps_.size() < warps_used_) warps_.resize(warps_used_);
  for (size_t w = 0; w < warps_used_; ++w) {
    Warp& warp = warps_[w];
    if (warp.registers.size() < kernel.register_bytes) {
      warp.registers.assign(kernel.register_bytes, std::byte{0xcd});
    }
    warp.index = static_cast<int>(w);
    warp.view = {warp.registers.data(), kernel.constants.data()};
  }
  std::vector<int> order(blocks);
  std::iota(order.begin(), order.end(), 0);
  std::shuffle(order.begin(), order.end(), all_.random_);
  for (const int each : order) {
    prepare(each);
    run_block();
  }
}

void Block::prepare(int block) {
  block_ = block;
  started_.push_back(block);
  barriers_ = 0;
  acquired_by_ = acquirer_fence_ = -1;
  const size_t bytes = kernel_->static_shared + shape_.dynamic_shared;
  shared_.assign(bytes, std::byte{0xff});
  const size_t records = bytes / kernel_->shared_granule + 1;
  if (records_.size() < records) records_.resize(records);
  in_flight_.assign(bytes / 16 + 1, 0);
  for (size_t w = 0; w < warps_used_; ++w) {
    Warp& warp = warps_[w];
    warp.alive = warp.ready = lanes_of(threads_, warp.index);
    warp.at_barrier = warp.at_meeting = warp.waited = 0;
    warp.at.fill(0);
    warp.warp_barriers = 0;
    warp.moment = 0;
    for (ThreadState& thread : warp.threads) {
      thread.copies.clear();
      thread.committed = 0;
      thread.wrote = thread.fenced = -1;
      thread.unfenced = false;
      thread.acquired = true;
    }
    set_special_registers(warp);
  }
}

void Block::set_special_registers(Warp& warp) {
  const Size at = place_in(shape_.blocks, block_);
  const auto fill = [&](const std::array<Slot, 3>& slots, int lane, const Size& size) {
    warp.view.set(slots[0], lane, size.x);
    warp.view.set(slots[1], lane, size.y);
    warp.view.set(slots[2], lane, size.z);
  };
  for (int lane = 0; lane < kWarp; ++lane) {
    fill(kernel_->thread_index, lane, place_in(shape_.threads, warp.index * kWarp + lane));
    fill(kernel_->block_size, lane, shape_.threads);
    fill(kernel_->block_index, lane, at);
    fill(kernel_->grid_size, lane, shape_.blocks);
  }
}

void Block::run_block() {
  std::vector<int> order(warps_used_);
  std::iota(order.begin(), order.end(), 0);
  while (true) {
    std::shuffle(order.begin(), order.end(), all_.random_);
    bool moved = false, alive = false;
    for (const int w : order) moved |= run_warp(warps_[w]);
    for (const int w : order) alive |= warps_[w].alive != 0;
    if (!alive) return;
    if (!pass_barrier() && !moved) {
      const Warp& stuck = *std::find_if(warps_.begin(), warps_.begin() + warps_used_,
                                        [](const Warp& warp) { return warp.alive != 0; });
      stop(kernel_->code[stuck.at[std::countr_zero(stuck.alive)]],
           "threads wait for each other in different places");
    }
  }
}

bool Block::run_warp(Warp& warp) {
  bool moved = false;
  while (warp.ready != 0) {
    moved = true;
    int at = 0;
    const uint32_t lanes = choose_lanes(warp, at);
    run_lanes(warp, lanes, at);
    if (warp.alive == 0 || warp.at_meeting != warp.alive) continue;
    const int first = warp.at[std::countr_zero(warp.alive)];
    const Instruction& i = kernel_->code[first];
    for_lanes(warp.alive, [&](int lane) {
      if (warp.at[lane] != first) stop(i, "lanes of a warp meet in different places");
    });
    warp.at_meeting = 0;
    meet(warp, i);
    for_lanes(warp.alive, [&](int lane) { ++warp.at[lane]; });
    warp.ready = warp.alive;
    if (all_.random_() % 8 == 0) return true;  // switches to another warp
  }
  return moved;
}

// Chooses the lanes that run next: usually the ones furthest behind, so that diverged lanes join
// again. Sometimes it chooses any.
uint32_t Block::choose_lanes(const Warp& warp, int& at) {
  at = warp.at[std::countr_zero(warp.ready)];
  bool together = true;
  for_lanes(warp.ready, [&](int lane) {
    together = together && warp.at[lane] == at;
    at = std::min(at, warp.at[lane]);
  });
  if (together) return warp.ready;
  if (all_.random_() % 8 == 0) {
    int skip = static_cast<int>(all_.random_() % std::popcount(warp.ready));
    for_lanes(warp.ready, [&](int lane) {
      if (skip-- == 0) at = warp.at[lane];
    });
  }
  uint32_t lanes = 0;
  for_lanes(warp.ready, [&](int lane) { lanes |= uint32_t{warp.at[lane] == at} << lane; });
  return lanes;
}

void Block::run_lanes(Warp& warp, uint32_t lanes, int at) {
  // Next instruction at which other lanes of the warp wait to join.
  int others = std::numeric_limits<int>::max();
  for_lanes(warp.ready & ~lanes, [&](int lane) {
    if (warp.at[lane] > at) others = std::min(others, warp.at[lane]);
  });
  const int end = static_cast<int>(kernel_->code.size());
  const int width = std::popcount(lanes);
  while (at < others) {
    if (at >= end) return leave(warp, kernel_->code.back(), lanes);
    const Instruction& i = kernel_->code[at];
    uint32_t active = lanes;
    if (i.guard.used) {
      const uint32_t guard = warp.view.predicate(i.guard);
      active &= i.negated ? ~guard : guard;
    }
    all_.instructions_ += width;
    if (i.execute) {
      if (active != 0) i.execute(warp.view, i, active);
      if (warp.view.mistake) find(i, std::exchange(warp.view.mistake, nullptr));
      ++at;
    } else if (i.op < Opcode::kBranch) {
      if (active != 0) access(warp, i, active);
      ++at;
    } else if (!control(warp, i, lanes, active, at)) {
      return;
    }
  }
  for_lanes(lanes, [&](int lane) { warp.at[lane] = at; });
}

bool Block::control(Warp& warp, const Instruction& i, uint32_t lanes, uint32_t active, int& at) {
  const int next = i.op == Opcode::kBranch ? i.target : at + 1;
  switch (i.op) {
    case Opcode::kNothing:
      ++at;
      return true;
    case Opcode::kBranch:
      if (active == lanes || active == 0) {
        at = active == 0 ? at + 1 : next;
        return true;
      }
      for_lanes(lanes, [&](int lane) { warp.at[lane] = active >> lane & 1 ? next : at + 1; });
      return false;
    case Opcode::kGridWait:
      wait_for_grid(warp, active);
      ++at;
      return true;
    case Opcode::kReturn:
      for_lanes(lanes & ~active, [&](int lane) { warp.at[lane] = at + 1; });
      leave(warp, i, active);
      return false;
    case Opcode::kBarrier:
    case Opcode::kBarrierCount:
      warp.at_barrier |= active;
      break;
    default:
      // All lanes are here, so no lane has to be waited for.
      if (active == warp.alive && all_.random_() % 8 != 0) {
        meet(warp, i);
        ++at;
        return true;
      }
      warp.at_meeting |= active;
  }
  warp.ready &= ~active;
  for_lanes(lanes, [&](int lane) { warp.at[lane] = active >> lane & 1 ? at : at + 1; });
  return false;
}

void Block::wait_for_grid(Warp& warp, uint32_t active) {
  if (!before_done_) {
    before_done_ = true;
    (*before_)();
    for (const Range& range : early_reads_) {
      const GlobalMemory::Area* area = all_.memory_.find(range.at, range.bytes);
      if (area && written_by_earlier(*area, range.at, range.bytes)) {
        find(kernel_->code[range.instruction],
             "reads before griddepcontrol.wait what an earlier kernel writes");
      }
    }
    early_reads_.clear();
  }
  warp.waited |= active;
}

void Block::leave(Warp& warp, const Instruction& i, uint32_t active) {
  for_lanes(active, [&](int lane) {
    if (!warp.threads[lane].copies.empty()) find(i, "a thread ends with cp.async on its way");
  });
  if (before_ && (active & ~warp.waited) != 0) find(i, "ends without griddepcontrol.wait");
  warp.alive &= ~active;
  warp.ready &= ~active;
}

// Releases the barrier if all threads of the block wait at it. Returns whether it did.
bool Block::pass_barrier() {
  int count = 0, at = -1;
  for (size_t w = 0; w < warps_used_; ++w) {
    const Warp& warp = warps_[w];
    if (warp.at_barrier != warp.alive) return false;
    for_lanes(warp.alive, [&](int lane) {
      if (at < 0) at = warp.at[lane];
      if (warp.at[lane] != at) stop(kernel_->code[at], "threads meet at different barriers");
    });
  }
  const Instruction& i = kernel_->code[at];
  const bool counts = i.op == Opcode::kBarrierCount;
  for (size_t w = 0; counts && w < warps_used_; ++w) {
    count += std::popcount(warps_[w].view.predicate(i.slots[1]) & warps_[w].alive);
  }
  ++barriers_;
  for (size_t w = 0; w < warps_used_; ++w) {
    Warp& warp = warps_[w];
    warp.ready = warp.alive;
    warp.at_barrier = 0;
    warp.moment = 0;
    for_lanes(warp.alive, [&](int lane) {
      if (counts) warp.view.set(i.slots[0], lane, count);
      ++warp.at[lane];
    });
  }
  return true;
}

}  // namespace ptx
