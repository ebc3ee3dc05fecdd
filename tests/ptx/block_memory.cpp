// Loads, stores, atomics, fences and cp.async, with their checks.
#include <algorithm>
#include <cstring>

#include "tests/ptx/block.h"
#include "tests/ptx/lanes.h"

namespace ptx {

uint64_t Block::address_of(Warp& warp, int lane, const Address& address) const {
  const uint64_t base = address.base.used ? warp.view.value(address.base, lane) : 0;
  return base + static_cast<uint64_t>(address.displacement);
}

Place Block::place(Warp& warp, int lane) {
  if (warp.moment == 0) {
    warp.moment = all_.moments_.add(
        {launch_, block_, warp.index, barriers_, warp.warp_barriers, clocks_->releases(block_)});
  }
  return {warp.moment, static_cast<uint8_t>(lane)};
}

void Block::access(Warp& warp, const Instruction& i, uint32_t active) {
  if (i.op == Opcode::kFence) return fence(warp, active);
  if (i.op == Opcode::kLoad && i.space == Space::kParam) return load_parameter(warp, i, active);
  // The lanes run in a random rotation.
  const int first = static_cast<int>(all_.random_() % kWarp);
  for (int turn = 0; turn < kWarp; ++turn) {
    const int lane = (first + turn) % kWarp;
    if ((active >> lane & 1) == 0) continue;
    switch (i.op) {
      case Opcode::kLoad:
      case Opcode::kStore:
        load_or_store(warp, i, lane);
        break;
      case Opcode::kAtom:
        atomic(warp, i, lane);
        break;
      case Opcode::kCopy:
        copy(warp, i, lane);
        break;
      case Opcode::kCommit:
        ++warp.threads[lane].committed;
        break;
      default:
        wait_for_copies(warp, lane, static_cast<int>(i.number));
    }
  }
}

namespace {

uint64_t read_value(const std::byte* from, Type type) {
  uint64_t value = 0;
  std::memcpy(&value, from, width_of(type));
  if (type == Type::kS8) return static_cast<uint64_t>(int64_t{static_cast<int8_t>(value)});
  if (type == Type::kS16) return static_cast<uint64_t>(int64_t{static_cast<int16_t>(value)});
  if (type == Type::kS32) return static_cast<uint64_t>(int64_t{static_cast<int32_t>(value)});
  return value;
}

}  // namespace

void Block::load_parameter(Warp& warp, const Instruction& i, uint32_t active) {
  const int width = width_of(i.type);
  for_lanes(active, [&](int lane) {
    const uint64_t at = address_of(warp, lane, i.address);
    if (at + i.vector * width > parameters_.size()) stop(i, "reads outside of the parameters");
    for (int e = 0; e < i.vector; ++e) {
      warp.view.set(i.slots[e], lane, read_value(parameters_.data() + at + e * width, i.type));
    }
  });
}

void Block::load_or_store(Warp& warp, const Instruction& i, int lane) {
  const int width = width_of(i.type);
  const bool load = i.op == Opcode::kLoad;
  std::byte* const data = checked(warp, i, lane, i.address, i.space, width * i.vector,
                                  load ? Access::kRead : Access::kWrite);
  for (int e = 0; e < i.vector; ++e) {
    if (load) {
      warp.view.set(i.slots[e], lane, read_value(data + e * width, i.type));
    } else {
      const uint64_t value = warp.view.value(i.slots[e], lane);
      std::memcpy(data + e * width, &value, width);
    }
  }
}

std::byte* Block::checked(Warp& warp, const Instruction& i, int lane, const Address& address,
                          Space space, int bytes, Access access) {
  const uint64_t at = address_of(warp, lane, address);
  if (at % bytes != 0) find(i, "an address that is not a multiple of its size");
  if (space == Space::kGlobal) return checked_global(warp, i, lane, at, bytes, access);
  // Shared-memory addresses have 32 bits.
  return checked_shared(warp, i, lane, static_cast<uint32_t>(at), bytes, access);
}

bool Block::of_this_block(const Place& place) const {
  const Moment* moment = all_.moments_.find(place.moment);
  return moment && moment->launch == launch_ && moment->block == block_;
}

std::byte* Block::checked_shared(Warp& warp, const Instruction& i, int lane, uint64_t at, int bytes,
                                 Access access) {
  if (at + bytes > shared_.size()) stop(i, "outside of the block's shared memory");
  const Place now = place(warp, lane);
  for (uint64_t unit = at / 16; unit <= (at + bytes - 1) / 16; ++unit) {
    if (in_flight_[unit] != 0) find(i, "touches bytes that cp.async is still copying");
  }
  for (uint64_t byte = at; byte < at + bytes; byte += kernel_->shared_granule) {
    Record& record = shared_record(byte);
    // Records of other blocks belong to another shared memory.
    if (!of_this_block(record.written)) record.written = {};
    if (!of_this_block(record.read)) {
      record.read = {};
      record.many = record.elsewhere = false;
    }
    if (access != Access::kWrite && record.written.moment == 0) {
      find(i, "reads shared memory that was never written");
    }
    if (const char* wrong = order_->touch(record, now, access)) {
      find(i, std::string(wrong) + " (shared memory)");
    }
  }
  return shared_.data() + at;
}

std::byte* Block::checked_global(Warp& warp, const Instruction& i, int lane, uint64_t at, int bytes,
                                 Access access) {
  if (generation_ != all_.memory_.generation()) {
    std::fill(last_area_.begin(), last_area_.end(), nullptr);
    generation_ = all_.memory_.generation();
  }
  GlobalMemory::Area*& area = last_area_[&i - kernel_->code.data()];
  if (!area || !area->holds(at, bytes)) area = all_.memory_.find(at, bytes);
  if (!area) stop(i, "outside of all memory");
  if (before_ && (warp.waited >> lane & 1) == 0) {
    check_early(i, *area, at, bytes, access);
  }
  const Place now = place(warp, lane);
  const int granule = std::min(kernel_->global_granule, 2);
  for (uint64_t byte = at; byte < at + bytes; byte += granule) {
    Record& record = area->record(byte, granule);
    if (access == Access::kRead && record.written.moment != 0) {
      check_acquired(warp, i, lane, record);
    }
    if (const char* wrong = order_->touch(record, now, access)) {
      find(i, std::string(wrong) + " (global memory)");
    }
  }
  if (access == Access::kWrite) {
    warp.threads[lane].wrote = barriers_;
    warp.threads[lane].unfenced = true;
  }
  return reinterpret_cast<std::byte*>(at);
}

// With PDL, a kernel may begin before the previous one has ended. Before griddepcontrol.wait it may
// only read memory that no earlier kernel writes.
void Block::check_early(const Instruction& i, const GlobalMemory::Area& area, uint64_t at,
                        int bytes, Access access) {
  if (access != Access::kRead) {
    find(i, "writes before griddepcontrol.wait");
  } else if (before_done_) {
    if (written_by_earlier(area, at, bytes)) {
      find(i, "reads before griddepcontrol.wait what an earlier kernel writes");
    }
  } else {
    early_reads_.push_back({at, bytes, static_cast<int>(&i - kernel_->code.data())});
  }
}

// Whether a nested launch has written any of these bytes. Nested launches have higher numbers.
bool Block::written_by_earlier(const GlobalMemory::Area& area, uint64_t at, int bytes) const {
  for (const int granule : {1, 2}) {
    for (uint64_t byte = at; byte < at + bytes; byte += granule) {
      const Record* record = area.existing(byte, granule);
      const Moment* written = record ? all_.moments_.find(record->written.moment) : nullptr;
      if (written && written->launch > launch_) return true;
    }
  }
  return false;
}

// Data of another block may be read only after a fence that follows the arrival at the counter. The
// fence is one of this thread, or one of the arriving thread before a barrier.
void Block::check_acquired(const Warp& warp, const Instruction& i, int lane, const Record& record) {
  const Moment* written = all_.moments_.find(record.written.moment);
  if (!written || written->launch != launch_) return;
  if (i.read_only) find(i, "reads through the read-only path what this kernel writes");
  if (written->block == block_ || warp.threads[lane].acquired) return;
  if (acquirer_fence_ >= 0 && barriers_ > acquirer_fence_) return;
  find(i, "reads another block's results without a fence after the counter");
}

void Block::fence(Warp& warp, uint32_t active) {
  for_lanes(active, [&](int lane) {
    ThreadState& thread = warp.threads[lane];
    thread.unfenced = false;
    thread.fenced = barriers_;
    thread.acquired = true;
    if (warp.index * kWarp + lane == acquired_by_) acquirer_fence_ = barriers_;
  });
}

void Block::atomic(Warp& warp, const Instruction& i, int lane) {
  const int width = width_of(i.type);
  if (i.space == Space::kGlobal) arrive(warp, i, lane, address_of(warp, lane, i.address));
  std::byte* const data = checked(warp, i, lane, i.address, i.space, width, Access::kAtomic);
  uint64_t old = 0;
  std::memcpy(&old, data, width);
  const uint64_t operand = warp.view.value(i.slots[1], lane);
  uint64_t result = old + operand;
  if (i.variant == Variant::kMax) {
    if (is_signed(i.type)) stop(i, "no signed maximum is known");
    result = std::max(old, operand);
  }
  std::memcpy(data, &result, width);
  warp.view.set(i.slots[0], lane, old);
}

// An atomic on a counter in global memory. It publishes this block's results to other blocks, and
// makes their results visible to this block.
void Block::arrive(Warp& warp, const Instruction& i, int lane, uint64_t address) {
  const ThreadState& self = warp.threads[lane];
  for (size_t w = 0; w < warps_used_; ++w) {
    for (ThreadState& thread : warps_[w].threads) {
      if (&thread != &self && thread.wrote >= barriers_) {
        find(i, "arrives at a counter without a barrier after the block's results");
      } else if (thread.unfenced && (&thread == &self || thread.wrote >= self.fenced)) {
        find(i, "arrives at a counter without a fence after the block's results");
      }
      thread.acquired = false;
    }
    warps_[w].moment = 0;
  }
  clocks_->arrive(block_, address);
  acquired_by_ = warp.index * kWarp + lane;
  acquirer_fence_ = -1;
}

void Block::copy(Warp& warp, const Instruction& i, int lane) {
  const auto size = static_cast<uint32_t>(warp.view.value(i.slots[0], lane));
  if (size != 16 && size != 0) stop(i, "copies another number of bytes than 16 or none");
  ThreadState& thread = warp.threads[lane];
  ThreadState::Copy copy{0, address_of(warp, lane, i.source), size == 0, thread.committed};
  if (size != 0) checked(warp, i, lane, i.source, Space::kGlobal, 16, Access::kRead);
  const uint32_t to = static_cast<uint32_t>(address_of(warp, lane, i.address));
  checked(warp, i, lane, i.address, Space::kShared, 16, Access::kWrite);
  copy.to = to;
  ++in_flight_[to / 16];
  std::memset(shared_.data() + to, 0xff, 16);
  thread.copies.push_back(copy);
}

// cp.async.wait_group: the copies of all groups except the last `groups` are complete.
void Block::wait_for_copies(Warp& warp, int lane, int groups) {
  ThreadState& thread = warp.threads[lane];
  const auto on_its_way = [&](const ThreadState::Copy& copy) {
    return copy.group >= thread.committed - groups;
  };
  const auto last = std::find_if(thread.copies.begin(), thread.copies.end(), on_its_way);
  for (auto copy = thread.copies.begin(); copy != last; ++copy) {
    --in_flight_[copy->to / 16];
    std::byte* const to = shared_.data() + copy->to;
    if (copy->zeros) {
      std::memset(to, 0, 16);
    } else {
      std::memcpy(to, reinterpret_cast<const void*>(copy->from), 16);
    }
    for (int byte = 0; byte < 16; byte += kernel_->shared_granule) {
      shared_record(copy->to + byte) = {place(warp, lane), {}, false};
    }
  }
  thread.copies.erase(thread.copies.begin(), last);
}

}  // namespace ptx
