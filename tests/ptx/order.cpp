// Vector clocks of blocks, and detection of races.
#include "tests/ptx/order.h"

#include <algorithm>

namespace ptx {

void BlockClocks::arrive(int block, uint64_t counter) {
  Clock& carried = counters_[counter];
  for (const auto& [other, releases] : carried) {
    seen_[block][other] = std::max(seen_[block][other], releases);
  }
  carried[block] = ++released_[block];
  for (const auto& [other, releases] : seen_[block]) {
    carried[other] = std::max(carried[other], releases);
  }
}

bool BlockClocks::sees(int block, int other, int releases) const {
  const auto found = seen_[block].find(other);
  return found != seen_[block].end() && found->second > releases;
}

bool BlockClocks::sees_all(int block, const std::vector<int>& started) const {
  return std::all_of(started.begin(), started.end(),
                     [&](int other) { return other == block || seen_[block].count(other) > 0; });
}

const Moment* Order::same_launch(const Place& then, const Moment& now) const {
  const Moment* moment = moments_.find(then.moment);
  return moment && moment->launch == now.launch ? moment : nullptr;
}

bool Order::in_order(const Place& then, const Moment& at, const Place& now,
                     const Moment& moment) const {
  if (at.block != moment.block) return clocks_.sees(moment.block, at.block, at.releases);
  if (at.barriers < moment.barriers) return true;
  if (at.warp != moment.warp) return false;
  return then.lane == now.lane || at.warp_barriers < moment.warp_barriers;
}

const char* Order::judge_write(const Record& record, const Place& now, const Moment& moment) const {
  const Moment* read = same_launch(record.read, moment);
  if (!read) return nullptr;
  if (record.elsewhere && !clocks_.sees_all(moment.block, started_)) {
    return "writes what another block reads at any time";
  }
  if (record.many && read->block == moment.block) {
    return read->barriers < moment.barriers ? nullptr
                                            : "writes what threads read since the last barrier";
  }
  if (in_order(record.read, *read, now, moment)) return nullptr;
  return read->block == moment.block ? "writes what another thread may still read"
                                     : "writes what another block may still read";
}

void Order::note_read(Record& record, const Place& now, const Moment& moment) const {
  if (const Moment* last = same_launch(record.read, moment)) {
    const bool ordered = in_order(record.read, *last, now, moment);
    if (last->block != moment.block) {
      record.many = false;
      record.elsewhere = record.elsewhere || !ordered;
    } else if (last->barriers < moment.barriers) {
      record.many = false;
    } else {
      record.many = record.many || !ordered;
    }
  } else {
    record.many = record.elsewhere = false;
  }
  record.read = now;
}

const char* Order::touch(Record& record, const Place& now, Access access) const {
  const Moment& moment = *moments_.find(now.moment);
  const char* wrong = nullptr;
  const bool among_atomics = access == Access::kAtomic && record.atomic;
  if (const Moment* written = same_launch(record.written, moment); written && !among_atomics) {
    if (!in_order(record.written, *written, now, moment)) {
      const bool here = written->block == moment.block;
      wrong = access == Access::kRead ? here ? "reads what another thread may still write"
                                             : "reads what another block may still write"
              : here                  ? "writes what another thread may still write"
                                      : "writes what another block may still write";
    }
  }
  if (access == Access::kRead) {
    const bool again = record.read.moment == now.moment && record.read.lane == now.lane;
    if (!again) note_read(record, now, moment);
    return wrong;
  }
  if (!wrong) wrong = judge_write(record, now, moment);
  record = {now, {}, access == Access::kAtomic};
  return wrong;
}

}  // namespace ptx
