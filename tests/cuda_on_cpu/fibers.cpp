// Fibers: one stack per CUDA thread, switched where the threads synchronise.
#include "tests/cuda_on_cpu/fibers.h"

#include <sys/mman.h>
#include <ucontext.h>

#include <algorithm>
#include <deque>
#include <map>
#include <memory>
#include <new>
#include <random>
#include <stdexcept>
#include <utility>
#include <vector>

namespace cuda_on_cpu {
namespace {

constexpr int kWarp = 32;
constexpr size_t kCopyBytes = 16;
constexpr size_t kStackBytes = 128 << 10;

// A barrier: counts arrivals; every thread waits for the next generation.
struct Barrier {
  int arrived = 0;
  int64_t generation = 0;
  int kind = 0;

  // Whether this arrival was the last of `expected`.
  bool arrive(int expected) {
    if (++arrived < expected) return false;
    arrived = 0;
    ++generation;
    return true;
  }
};

struct Fiber {
  void* stack = nullptr;
  dim3 index;  // threadIdx
  bool done = false;
  const Barrier* waits = nullptr;  // null: it can run
  int64_t generation = 0;
  struct Copy {
    void* to;
    const void* from;
  };
  std::deque<std::vector<Copy>> copies;  // cp.async groups in flight; the last one is still open

  bool ready() const { return !done && (!waits || waits->generation != generation); }
};

struct Warp {
  Barrier barrier;
  int alive = 0;
  // One set of slots for barriers of even generations, one for odd ones: lanes that are already
  // past a barrier write to one set while others still read the other.
  ExchangeSlots slots[2];
};

// The block that is running.
struct Block {
  std::vector<Fiber> fibers;  // grows, never shrinks: stacks are reused
  std::vector<Warp> warps;
  Barrier barrier;
  int threads = 0, alive = 0, current = 0;
  int counted = 0, count = 0;  // of __syncthreads_count: so far, and the last result
  const std::function<void()>* kernel = nullptr;
  const char* failure = nullptr;  // the first error of a thread
  std::vector<std::byte> shared;
  const std::function<void()>* before = nullptr;  // with PDL: work to do before it; null when done
  bool pdl = false, waited = false, before_wanted = false;
};

Block& block();

void enter_fiber();

#if defined(__x86_64__)
// swapcontext() makes a system call for the signal mask at every switch; this does not.
extern "C" void cuda_on_cpu_switch(void** from, void* to);
asm(R"(
.text
.globl cuda_on_cpu_switch
cuda_on_cpu_switch:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  ret
)");

// Switches between the scheduler and fibers, by their index.
class Switch {
 public:
  void begin(int index, void* stack) {
    if (static_cast<int>(fibers_.size()) <= index) fibers_.resize(index + 1);
    // Six registers, the return address, and one word so that the stack is aligned as after a call.
    auto* top = reinterpret_cast<void**>(static_cast<std::byte*>(stack) + kStackBytes) - 8;
    std::fill_n(top, 8, nullptr);
    top[6] = reinterpret_cast<void*>(&enter_fiber);
    fibers_[index] = top;
  }
  void to_fiber(int index) { cuda_on_cpu_switch(&scheduler_, fibers_[index]); }
  void to_scheduler(int index) { cuda_on_cpu_switch(&fibers_[index], scheduler_); }
  void between(int from, int to) { cuda_on_cpu_switch(&fibers_[from], fibers_[to]); }

 private:
  void* scheduler_ = nullptr;
  std::vector<void*> fibers_;
};
#else
class Switch {
 public:
  void begin(int index, void* stack) {
    if (static_cast<int>(fibers_.size()) <= index) fibers_.resize(index + 1);
    if (!fibers_[index]) fibers_[index] = std::make_unique<ucontext_t>();
    ucontext_t& fiber = *fibers_[index];
    getcontext(&fiber);
    fiber.uc_stack.ss_sp = stack;
    fiber.uc_stack.ss_size = kStackBytes;
    fiber.uc_link = nullptr;
    makecontext(&fiber, &enter_fiber, 0);
  }
  void to_fiber(int index) { swapcontext(&scheduler_, fibers_[index].get()); }
  void to_scheduler(int index) { swapcontext(fibers_[index].get(), &scheduler_); }
  void between(int from, int to) { swapcontext(fibers_[from].get(), fibers_[to].get()); }

 private:
  ucontext_t scheduler_;
  std::vector<std::unique_ptr<ucontext_t>> fibers_;
};
#endif

// A kernel that waits for another kernel (PDL) runs that kernel nested, one level deeper.
struct Level {
  Block block;
  Switch switcher;
};

Level outermost_level;
Level* running_level = &outermost_level;

Block& block() { return running_level->block; }
Switch& switcher() { return running_level->switcher; }

// The next deeper level. It is kept, because its stacks are reused.
Level& inner_level() {
  static std::map<Level*, std::unique_ptr<Level>> all;
  std::unique_ptr<Level>& inner = all[running_level];
  if (!inner) inner = std::make_unique<Level>();
  return *inner;
}

// Makes a thread the running one.
void set_current(Block& b, int thread) {
  b.current = thread;
  threadIdx = b.fibers[thread].index;
}

// Leaves the running thread: for the next lane of its warp that can run, else for the scheduler.
void leave_fiber() {
  Block& b = block();
  const int here = b.current, first = here / kWarp * kWarp;
  for (int turn = 1; turn < kWarp; ++turn) {
    const int next = first + (here + turn) % kWarp;
    if (next >= b.threads || !b.fibers[next].ready()) continue;
    set_current(b, next);
    return switcher().between(here, next);
  }
  switcher().to_scheduler(here);
}

void wait_at(const Barrier& barrier, int64_t generation) {
  Fiber& fiber = block().fibers[block().current];
  fiber.waits = &barrier;
  fiber.generation = generation;
  leave_fiber();
  fiber.waits = nullptr;
}

// Ends the launch with an error. An exception cannot leave the stack of the fiber.
void fail(const char* why) {
  block().failure = why;
  while (true) switcher().to_scheduler(block().current);
}

void enter_fiber() {
  Block& b = block();
  (*b.kernel)();
  b.fibers[b.current].done = true;
  Warp& warp = b.warps[b.current / kWarp];
  --warp.alive;
  --b.alive;
  // Waiting threads no longer wait for this one.
  if (warp.alive > 0 && warp.barrier.arrived == warp.alive) {
    warp.barrier.arrived = 0;
    ++warp.barrier.generation;
  }
  if (b.alive > 0 && b.barrier.arrived == b.alive) {
    b.barrier.arrived = 0;
    ++b.barrier.generation;
  }
  leave_fiber();
}

dim3 position_in(dim3 size, unsigned index) {
  return {index % size.x, index / size.x % size.y, index / size.x / size.y};
}

void prepare_block(dim3 threads, int64_t shared_bytes) {
  Block& b = block();
  b.threads = b.alive = static_cast<int>(threads.x * threads.y * threads.z);
  if (static_cast<int>(b.fibers.size()) < b.threads) b.fibers.resize(b.threads);
  b.warps.resize((b.threads + kWarp - 1) / kWarp);
  for (Warp& warp : b.warps) {  // the slots keep what they have
    warp.barrier = {};
    warp.alive = 0;
  }
  for (int i = 0; i < b.threads; ++i) {
    Fiber& fiber = b.fibers[i];
    if (!fiber.stack) {
      fiber.stack =
          mmap(nullptr, kStackBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
      if (fiber.stack == MAP_FAILED) throw std::bad_alloc();
    }
    fiber.index = position_in(threads, i);
    fiber.done = false;
    fiber.waits = nullptr;
    if (fiber.copies.size() != 1 || !fiber.copies.front().empty()) fiber.copies.assign(1, {});
    switcher().begin(i, fiber.stack);
    ++b.warps[i / kWarp].alive;
  }
  b.barrier = {};
  b.failure = nullptr;
  b.counted = 0;
  b.waited = false;
  b.shared.assign(shared_bytes + 16, std::byte{0xff});
}

// Runs the work that the running kernel waits for, one level deeper. It does not run on the fiber's
// stack, which an exception could not leave.
void do_before() {
  const std::function<void()>& before = *std::exchange(block().before, nullptr);
  block().before_wanted = false;
  const dim3 here[] = {blockIdx, blockDim, gridDim};
  Level* const outer = std::exchange(running_level, &inner_level());
  try {
    before();
  } catch (...) {
    running_level = outer;
    throw;
  }
  running_level = outer;
  blockIdx = here[0], blockDim = here[1], gridDim = here[2];
}

// Order of blocks, warps and lanes: a GPU promises none. The same in every run of a program.
std::minstd_rand& random_order() {
  static std::minstd_rand generator(1);
  return generator;
}

// 0 .. count - 1 in any order.
std::vector<unsigned> any_order(unsigned count) {
  std::vector<unsigned> order(count);
  for (unsigned i = 0; i < count; ++i) order[i] = i;
  std::shuffle(order.begin(), order.end(), random_order());
  return order;
}

// Runs the lanes of a warp until all of them wait for the block or are done.
bool run_warp(int warp) {
  Block& b = block();
  const int first_lane = static_cast<int>(random_order()() % kWarp);
  bool moved = false;
  for (bool again = true; again;) {
    again = false;
    for (int turn = 0; turn < kWarp; ++turn) {
      const int i = warp * kWarp + (first_lane + turn) % kWarp;
      if (i >= b.threads || !b.fibers[i].ready()) continue;
      set_current(b, i);
      switcher().to_fiber(i);
      if (b.failure) throw std::logic_error(b.failure);
      if (b.before_wanted) do_before();
      again = moved = true;
    }
  }
  return moved;
}

void run_block() {
  Block& b = block();
  while (b.alive > 0) {
    bool moved = false;
    for (const unsigned warp : any_order(static_cast<unsigned>(b.warps.size()))) {
      moved |= run_warp(static_cast<int>(warp));
    }
    if (!moved) throw std::logic_error("threads of a block wait for each other in vain");
  }
}

}  // namespace

int lane() { return block().current % kWarp; }

ExchangeSlots& exchange_slots() {
  Warp& warp = block().warps[block().current / kWarp];
  return warp.slots[warp.barrier.generation % 2];
}

std::byte* shared_memory() {
  void* begin = block().shared.data();
  size_t room = block().shared.size();
  return static_cast<std::byte*>(std::align(16, room - 16, begin, room));
}

void block_barrier() {
  Barrier& barrier = block().barrier;
  const int64_t generation = barrier.generation;
  if (!barrier.arrive(block().alive)) wait_at(barrier, generation);
}

void warp_barrier(int kind) {
  Warp& warp = block().warps[block().current / kWarp];
  if (warp.barrier.arrived > 0 && warp.barrier.kind != kind) {
    fail("lanes of a warp meet in different places");
  }
  warp.barrier.kind = kind;
  const int64_t generation = warp.barrier.generation;
  if (!warp.barrier.arrive(warp.alive)) wait_at(warp.barrier, generation);
}

int count_in_block(bool holds) {
  Block& b = block();
  b.counted += holds;
  const int64_t generation = b.barrier.generation;
  if (b.barrier.arrive(b.alive)) {
    b.count = b.counted;
    b.counted = 0;
  } else {
    wait_at(b.barrier, generation);
  }
  const int count = b.count;
  block_barrier();  // before the next count begins
  return count;
}

void grid_dependency_wait() {
  Block& b = block();
  b.waited = true;
  if (!b.before) return;
  b.before_wanted = true;
  switcher().to_scheduler(b.current);
}

bool& copies_at_once() {
  static bool at_once = false;
  return at_once;
}

static void copy(void* to, const void* from) {
  from ? std::memcpy(to, from, kCopyBytes) : std::memset(to, 0, kCopyBytes);
}

void copy_later(void* to, const void* from) {
  if (copies_at_once()) return copy(to, from);
  block().fibers[block().current].copies.back().push_back({to, from});
}

void cp_async_commit() { block().fibers[block().current].copies.emplace_back(); }

void cp_async_wait(int groups_under_way) {
  auto& groups = block().fibers[block().current].copies;
  while (static_cast<int>(groups.size()) - 1 > groups_under_way) {
    for (const auto& [to, from] : groups.front()) copy(to, from);
    groups.pop_front();
  }
}

void run_grid_pdl(dim3 blocks, dim3 threads, int64_t shared_bytes,
                  const std::function<void()>& kernel, const std::function<void()>& before) {
  Block& b = block();
  b.before = &before;
  b.pdl = true;
  try {
    run_grid(blocks, threads, shared_bytes, kernel);
  } catch (...) {
    b.pdl = false;
    throw;
  }
  b.pdl = false;
}

void run_grid(dim3 blocks, dim3 threads, int64_t shared_bytes,
              const std::function<void()>& kernel) {
  const int64_t in_block = int64_t{threads.x} * threads.y * threads.z;
  if (in_block < 1 || in_block > 1024 || threads.z > 64 || blocks.x < 1 || blocks.y < 1 ||
      blocks.z < 1 || blocks.x > 0x7fffffffu || blocks.y > 65535 || blocks.z > 65535 ||
      shared_bytes > machine().shared_memory) {
    throw std::logic_error("no GPU takes this launch");
  }
  block().kernel = &kernel;
  gridDim = blocks;
  blockDim = threads;
  for (const unsigned index : any_order(blocks.x * blocks.y * blocks.z)) {
    blockIdx = position_in(blocks, index);
    prepare_block(threads, shared_bytes);
    run_block();
    if (block().pdl && !block().waited) {
      throw std::logic_error("a block ended without having waited for earlier kernels");
    }
  }
}

}  // namespace cuda_on_cpu
