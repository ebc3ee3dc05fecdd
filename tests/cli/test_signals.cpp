// The stop flag, and the forced exit after a second signal.
#include <gtest/gtest.h>
#include <pty.h>
#include <signal.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "tools/bifrons/signals.h"
#include "tools/bifrons/stop_sentence.h"

namespace bifrons::testing {
namespace {

using namespace cli;

TEST(StopSignalsDeathTest, FirstAsksSecondInterruptStops) {
  EXPECT_EXIT(
      {
        install_stop_signals();
        raise(SIGTERM);
        raise(SIGTERM);  // a second SIGTERM is still a request
        if (!stop_requested()) _exit(1);
        raise(SIGINT);
      },
      ::testing::ExitedWithCode(130), "");
}

// Line editing switches the echo off while it waits.
TEST(StopSignals, TheSecondInterruptGivesTheTerminalBack) {
  int terminal = -1;
  const pid_t child = forkpty(&terminal, nullptr, nullptr, nullptr);
  ASSERT_GE(child, 0);
  if (child == 0) {
    install_stop_signals();
    termios raw = {};
    tcgetattr(STDIN_FILENO, &raw);
    raw.c_lflag &= ~static_cast<tcflag_t>(ECHO | ICANON);
    tcsetattr(STDIN_FILENO, TCSANOW, &raw);
    raise(SIGINT);
    raise(SIGINT);
    _exit(1);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(WEXITSTATUS(status), 130);
  termios left = {};
  ASSERT_EQ(tcgetattr(terminal, &left), 0);
  EXPECT_NE(left.c_lflag & ECHO, 0u);
  EXPECT_NE(left.c_lflag & ICANON, 0u);
  close(terminal);
}

TEST(StopSignalsDeathTest, IgnoredSignalsStayIgnored) {
  EXPECT_EXIT(
      {
        signal(SIGHUP, SIG_IGN);  // nohup
        install_stop_signals();
        raise(SIGHUP);
        _exit(stop_requested() ? 1 : 0);
      },
      ::testing::ExitedWithCode(0), "");
}

// A program that does not stop is ended by force: the loop of a library does not check our flag.
TEST(StopSignalsDeathTest, WhoDoesNotStopIsStopped) {
  EXPECT_EXIT(
      {
        install_stop_signals();
        raise(SIGTERM);
        for (volatile bool busy = true; busy;) {
        }
      },
      ::testing::ExitedWithCode(75), "stopped");
}

// A step of a large model takes longer than a stop may, so the pictures are said by the handler.
TEST(StopSignalsDeathTest, TheEndByForceSaysWhatIsDone) {
  const auto stop_after = [](int64_t before, int64_t now) {
    install_stop_signals();
    set_pictures_before(before);
    for (int64_t i = 0; i < now; ++i) count_picture();
    raise(SIGTERM);
    for (volatile bool busy = true; busy;) {
    }
  };
  EXPECT_EXIT(stop_after(1234567890123456769, 20), ::testing::ExitedWithCode(75),
              "^bifrons: stopped; 1234567890123456789 pictures are done, 20 of them now; the same "
              "command goes on from there\n$");
  EXPECT_EXIT(stop_after(10, 0), ::testing::ExitedWithCode(75),
              "^bifrons: stopped; 10 pictures are done, 0 of them now; ");
}

// The same command would begin again.
TEST(StopSignalsDeathTest, AFreshBatchGoesOnWithoutFresh) {
  EXPECT_EXIT(
      {
        set_fresh(true);
        install_stop_signals();
        set_pictures_before(0);
        raise(SIGTERM);
        for (volatile bool busy = true; busy;) {
        }
      },
      ::testing::ExitedWithCode(75),
      "done, 0 of them now; the same command without --fresh goes on");
}

TEST(StopSignalsDeathTest, ABlockedAlarmStopsAllTheSame) {
  EXPECT_EXIT(
      {
        sigset_t all;
        sigfillset(&all);
        sigdelset(&all, SIGTERM);
        sigprocmask(SIG_SETMASK, &all, nullptr);
        install_stop_signals();
        raise(SIGTERM);
        for (volatile bool busy = true; busy;) {
        }
      },
      ::testing::ExitedWithCode(75), "stopped");
}

}  // namespace
}  // namespace bifrons::testing
