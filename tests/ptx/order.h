// Happens-before between memory accesses, from barriers and from counters with fences.
#pragma once

#include <cstdint>
#include <map>
#include <vector>

namespace ptx {

// The part of a warp's work between two synchronisation points.
struct Moment {
  int64_t launch = 0;
  int block = 0, warp = 0;
  int barriers = 0;       // barriers of the block so far
  int warp_barriers = 0;  // barriers of the warp so far
  int releases = 0;       // arrivals of the block at counters so far
};

// A thread and a moment of its work.
struct Place {
  uint32_t moment = 0;  // 0: no access
  uint8_t lane = 0;
};

enum class Access : uint8_t { kRead, kWrite, kAtomic };

// The last accesses of one granule.
struct Record {
  Place written, read;
  bool atomic = false;     // the last write was atomic
  bool many = false;       // read by several threads of one block between two barriers
  bool elsewhere = false;  // read by blocks that no counter has ordered
};

// Order of the blocks of one launch: vector clocks, passed on through counters in global memory.
class BlockClocks {
 public:
  explicit BlockClocks(int blocks) : released_(blocks), seen_(blocks) {}

  int releases(int block) const { return released_[block]; }
  // The block arrives at a counter. It then sees everything that earlier arrivals released.
  void arrive(int block, uint64_t counter);
  // Whether `block` sees the work of `other` before its release number `releases` + 1.
  bool sees(int block, int other, int releases) const;
  // Whether `block` sees work of every block in `started`.
  bool sees_all(int block, const std::vector<int>& started) const;

 private:
  using Clock = std::map<int, int>;  // releases by block
  std::vector<int> released_;
  std::vector<Clock> seen_;
  std::map<uint64_t, Clock> counters_;
};

// All moments of the current launches.
class Moments {
 public:
  uint32_t add(const Moment& moment) {
    all_.push_back(moment);
    return base_ + static_cast<uint32_t>(all_.size()) - 1;
  }
  // Null for a moment of an earlier run.
  const Moment* find(uint32_t id) const { return id < base_ ? nullptr : &all_[id - base_]; }
  // Called when no launch is running: all earlier records become invalid.
  void forget() {
    base_ += static_cast<uint32_t>(all_.size());
    all_.clear();
  }

 private:
  uint32_t base_ = 1;
  std::vector<Moment> all_;
};

// Checks the accesses of one launch for races.
class Order {
 public:
  Order(const Moments& moments, const BlockClocks& clocks, const std::vector<int>& started)
      : moments_(moments), clocks_(clocks), started_(started) {}

  // Records an access. Returns the mistake in it, or null.
  const char* touch(Record& record, const Place& now, Access access) const;
  // The moment of its last write in this launch, by any block; null if there is none.
  const Moment* writer(const Record& record, const Place& now) const {
    return same_launch(record.written, *moments_.find(now.moment));
  }

 private:
  const Moment* same_launch(const Place& then, const Moment& now) const;
  bool in_order(const Place& then, const Moment& at, const Place& now, const Moment& moment) const;
  const char* judge_write(const Record& record, const Place& now, const Moment& moment) const;
  void note_read(Record& record, const Place& now, const Moment& moment) const;

  const Moments& moments_;
  const BlockClocks& clocks_;
  const std::vector<int>& started_;
};

}  // namespace ptx
