// std::thread says by an exception that there is no thread to be had.
#include "kernels/threads.h"

#include <latch>
#include <new>
#include <system_error>
#include <utility>

namespace bifrons {

bool start_thread(std::vector<std::thread>& threads, std::function<void()> body) {
  try {
    threads.reserve(threads.size() + 1);  // so that nothing can fail once the thread runs
    threads.emplace_back(std::move(body));
    return true;
  } catch (const std::system_error&) {
    return false;
  } catch (const std::bad_alloc&) {
    return false;
  }
}

int startable_threads(int wanted) {
  std::vector<std::thread> threads;
  std::latch counted(1);
  while (static_cast<int>(threads.size()) + 1 < wanted &&
         start_thread(threads, [&counted] { counted.wait(); })) {
  }
  counted.count_down();
  for (std::thread& thread : threads) thread.join();
  return static_cast<int>(threads.size()) + 1;
}

}  // namespace bifrons
