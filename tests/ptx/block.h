// State of a launch and of its running block: warps, shared memory, pending cp.async copies.
#pragma once

#include <array>
#include <functional>
#include <optional>
#include <vector>

#include "tests/ptx/interpreter.h"

namespace ptx {

// Records for the memory model: pending copies, writes and fences of a thread.
struct ThreadState {
  struct Copy {
    uint32_t to;
    uint64_t from;
    bool zeros;
    int group;
  };
  std::vector<Copy> copies;  // cp.async copies that were not waited for
  int committed = 0;         // committed groups
  int wrote = -1;            // barriers passed at the last write to global memory
  bool unfenced = false;     // no fence since that write
  int fenced = -1;           // barriers passed at the last fence
  bool acquired = true;      // fence executed since the last arrival of the block at a counter
};

struct Warp {
  int index = 0;
  std::vector<std::byte> registers;
  WarpRegisters view{};
  uint32_t alive = 0, ready = 0, at_barrier = 0, at_meeting = 0;  // masks of lanes
  uint32_t waited = 0;                                            // past griddepcontrol.wait
  std::array<int, kWarp> at{};                                    // next instruction of each lane
  int warp_barriers = 0;
  uint32_t moment = 0;  // 0: the next access begins a new one
  std::array<ThreadState, kWarp> threads;
};

class Block {
 public:
  explicit Block(Interpreter& interpreter) : all_(interpreter) {}

  void run(const Kernel& kernel, const LaunchShape& shape, std::vector<std::byte> parameters,
           const std::function<void()>* before);

 private:
  // In block.cpp.
  void check_launch();
  void prepare(int block);
  void set_special_registers(Warp& warp);
  void run_block();
  bool run_warp(Warp& warp);
  uint32_t choose_lanes(const Warp& warp, int& at);
  void run_lanes(Warp& warp, uint32_t lanes, int at);
  // Runs a control instruction. Returns false when the lanes diverge or stop.
  bool control(Warp& warp, const Instruction& i, uint32_t lanes, uint32_t active, int& at);
  void wait_for_grid(Warp& warp, uint32_t active);
  void leave(Warp& warp, const Instruction& i, uint32_t active);
  bool pass_barrier();
  [[noreturn]] void stop(const Instruction& i, const std::string& why);

  // In block_warp.cpp. All lanes of a warp are at instruction i.
  void meet(Warp& warp, const Instruction& i);
  void shuffle(Warp& warp, const Instruction& i);
  void multiply(Warp& warp, const Instruction& i);

  // In block_memory.cpp.
  void access(Warp& warp, const Instruction& i, uint32_t active);
  void load_parameter(Warp& warp, const Instruction& i, uint32_t active);
  void load_or_store(Warp& warp, const Instruction& i, int lane);
  void atomic(Warp& warp, const Instruction& i, int lane);
  void arrive(Warp& warp, const Instruction& i, int lane, uint64_t address);
  void fence(Warp& warp, uint32_t active);
  std::byte* checked(Warp& warp, const Instruction& i, int lane, const Address& address,
                     Space space, int bytes, Access access);
  std::byte* checked_shared(Warp& warp, const Instruction& i, int lane, uint64_t at, int bytes,
                            Access access);
  std::byte* checked_global(Warp& warp, const Instruction& i, int lane, uint64_t at, int bytes,
                            Access access);
  void check_early(const Instruction& i, const GlobalMemory::Area& area, uint64_t at, int bytes,
                   Access access);
  bool written_by_earlier(const GlobalMemory::Area& area, uint64_t at, int bytes) const;
  void check_acquired(const Warp& warp, const Instruction& i, int lane, const Record& record);
  void copy(Warp& warp, const Instruction& i, int lane);
  void wait_for_copies(Warp& warp, int lane, int groups);

  uint64_t address_of(Warp& warp, int lane, const Address& address) const;
  bool of_this_block(const Place& place) const;
  Place place(Warp& warp, int lane);
  void find(const Instruction& i, const std::string& what) {
    all_.findings_.add(*kernel_, i, what);
  }
  Record& shared_record(uint64_t at) { return records_[at / kernel_->shared_granule]; }

  Interpreter& all_;
  // State of the launch.
  const Kernel* kernel_ = nullptr;
  LaunchShape shape_;
  std::vector<std::byte> parameters_;
  const std::function<void()>* before_ = nullptr;  // previous kernel; null: no PDL
  bool before_done_ = false;
  int64_t launch_ = 0;
  std::optional<BlockClocks> clocks_;
  std::optional<Order> order_;
  std::vector<int> started_;  // blocks that have started
  struct Range {
    uint64_t at;
    int bytes, instruction;
  };
  std::vector<Range> early_reads_;              // reads before the previous kernel had run
  std::vector<GlobalMemory::Area*> last_area_;  // by instruction: area of its last access
  int64_t generation_ = 0;

  // State of the block.
  int block_ = 0, threads_ = 0, barriers_ = 0;
  std::vector<Warp> warps_;
  size_t warps_used_ = 0;
  std::vector<std::byte> shared_;
  std::vector<Record> records_;
  std::vector<int> in_flight_;                  // pending copies by 16 bytes of shared memory
  int acquired_by_ = -1, acquirer_fence_ = -1;  // thread of the last arrival; barriers at its fence
};

}  // namespace ptx
