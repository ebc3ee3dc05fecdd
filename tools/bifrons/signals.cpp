// A signal handler reaches only static variables. The program has no other mutable static
// variables than these and those of stop_sentence.cpp.
#include "tools/bifrons/signals.h"

#include <pthread.h>
#include <signal.h>
#include <sys/time.h>
#include <termios.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>

#include "kernels/error.h"
#include "tools/bifrons/stop_sentence.h"

namespace bifrons::cli {
namespace {

constexpr int kExitOfSecondInterrupt = 130;  // 128 + SIGINT, the convention of shells

// The time that a command has to end by itself. Ending it loses nothing: every file is complete or
// does not exist at any moment.
constexpr suseconds_t kPatience = 700'000;  // microseconds

std::atomic<bool> stop{false};
static_assert(std::atomic<bool>::is_always_lock_free);

bool has_terminal = false;  // stdin, with these settings at the start of the program
termios saved_terminal;

void restore_terminal() {  // line editing may have changed it
  if (!has_terminal) return;
  signal(SIGTTOU, SIG_IGN);
  tcsetattr(STDIN_FILENO, TCSANOW, &saved_terminal);
}

void on_stop_signal(int signal_number) {
  if (stop.exchange(true)) {
    if (signal_number != SIGINT) return;
    restore_terminal();
    _exit(kExitOfSecondInterrupt);
  }
  const int error_number = errno;
  const itimerval once{.it_interval = {0, 0}, .it_value = {0, kPatience}};
  setitimer(ITIMER_REAL, &once, nullptr);
  errno = error_number;
}

void on_end_of_patience(int) {
  restore_terminal();
  write_stop_sentence();
  _exit(static_cast<int>(ErrorKind::kInterrupted));
}

void handle(int signal_number, void (*handler)(int)) {
  struct sigaction action = {};
  action.sa_handler = handler;  // no SA_RESTART: a read from stdin must end too
  sigemptyset(&action.sa_mask);
  sigaction(signal_number, &action, nullptr);
}

}  // namespace

void install_stop_signals() {
  has_terminal = tcgetattr(STDIN_FILENO, &saved_terminal) == 0;
  handle(SIGALRM, on_end_of_patience);
  sigset_t alarm;
  sigemptyset(&alarm);
  sigaddset(&alarm, SIGALRM);
  pthread_sigmask(SIG_UNBLOCK, &alarm, nullptr);
  for (int signal_number : {SIGINT, SIGTERM, SIGHUP, SIGUSR1}) {
    struct sigaction current = {};
    sigaction(signal_number, nullptr, &current);
    if (current.sa_handler == SIG_IGN) continue;  // nohup, or a background job of a shell
    handle(signal_number, on_stop_signal);
  }
}

bool stop_requested() { return stop.load(); }

void heed_stop() {
  if (stop_requested()) throw Error(ErrorKind::kInterrupted, "stopped");
}

}  // namespace bifrons::cli
