// Threads that help, and without which the work is done all the same.
#pragma once

#include <functional>
#include <thread>
#include <vector>

namespace bifrons {

// Adds a thread that runs `body`, which throws nothing. False when the system has no thread to give
// (a limit of processes, of memory or of a container), which no caller may take for a failure: what
// the thread would have done is done by those that are there.
bool start_thread(std::vector<std::thread>& threads, std::function<void()> body);

// How many threads can run at the same time, the calling one with them: 1 to `wanted`. For
// libraries that end the process where they cannot start a thread of their own.
int startable_threads(int wanted);

}  // namespace bifrons
