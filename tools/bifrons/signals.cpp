// A signal handler can reach nothing but a static: this flag is the program's only mutable one.
#include "tools/bifrons/signals.h"

#include <signal.h>
#include <unistd.h>

#include <atomic>

namespace bifrons {
namespace {

constexpr int kExitOfSecondInterrupt = 130;  // 128 + SIGINT, as shells count

std::atomic<bool> stop{false};
static_assert(std::atomic<bool>::is_always_lock_free);

void on_stop_signal(int signal_number) {
  if (stop.exchange(true) && signal_number == SIGINT) _exit(kExitOfSecondInterrupt);
}

}  // namespace

void install_stop_signals() {
  struct sigaction action = {};
  action.sa_handler = on_stop_signal;  // no SA_RESTART: a read from stdin shall end too
  sigemptyset(&action.sa_mask);
  for (int signal_number : {SIGINT, SIGTERM, SIGHUP, SIGUSR1}) {
    struct sigaction current = {};
    sigaction(signal_number, nullptr, &current);
    if (current.sa_handler == SIG_IGN) continue;  // nohup, background jobs of a shell
    sigaction(signal_number, &action, nullptr);
  }
}

bool stop_requested() { return stop.load(); }

}  // namespace bifrons
