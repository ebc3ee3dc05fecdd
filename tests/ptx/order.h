// Happens-before: which accesses of memory a barrier, or a counter with fences, has put in order.
#pragma once

#include <cstdint>
#include <map>
#include <vector>

namespace ptx {

// A stretch of a warp's work between two points that order it with others.
struct Moment {
  int64_t launch = 0;
  int block = 0, warp = 0;
  int barriers = 0;       // of the block, so far
  int warp_barriers = 0;  // of the warp, so far
  int releases = 0;       // of the block: arrivals at counters, so far
};

// A thread at a moment.
struct Place {
  uint32_t moment = 0;  // 0: nobody
  uint8_t lane = 0;
};

enum class Access : uint8_t { kRead, kWrite, kAtomic };

// The last accesses of a few bytes.
struct Record {
  Place written, read;
  bool atomic = false;     // the last write
  bool many = false;       // threads of one block have read it between the same barriers
  bool elsewhere = false;  // blocks have read it that no counter has put in order
};

// Order among the blocks of one launch: vector clocks that counters in global memory carry.
class BlockClocks {
 public:
  explicit BlockClocks(int blocks) : released_(blocks), seen_(blocks) {}

  int releases(int block) const { return released_[block]; }
  // The block arrives at a counter: it sees all that those before it released.
  void arrive(int block, uint64_t counter);
  // Whether `block` sees what `other` did before its release number `releases` + 1.
  bool sees(int block, int other, int releases) const;
  // Whether `block` sees something of every block in `started`.
  bool sees_all(int block, const std::vector<int>& started) const;

 private:
  using Clock = std::map<int, int>;  // releases by block
  std::vector<int> released_;
  std::vector<Clock> seen_;
  std::map<uint64_t, Clock> counters_;
};

// All moments of the launches that are running.
class Moments {
 public:
  uint32_t add(const Moment& moment) {
    all_.push_back(moment);
    return base_ + static_cast<uint32_t>(all_.size()) - 1;
  }
  // Null for a moment of an earlier run.
  const Moment* find(uint32_t id) const { return id < base_ ? nullptr : &all_[id - base_]; }
  // No launch is running: records of so far are void.
  void forget() {
    base_ += static_cast<uint32_t>(all_.size());
    all_.clear();
  }

 private:
  uint32_t base_ = 1;
  std::vector<Moment> all_;
};

// Judges the accesses of one launch.
class Order {
 public:
  Order(const Moments& moments, const BlockClocks& clocks, const std::vector<int>& started)
      : moments_(moments), clocks_(clocks), started_(started) {}

  // Notes an access, and returns what is wrong with it, or null.
  const char* touch(Record& record, const Place& now, Access access) const;
  // Whether it was written in this launch, by another block or this one.
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
