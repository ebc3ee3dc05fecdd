// The stop flag and the way out for the impatient.
#include <gtest/gtest.h>
#include <signal.h>

#include "tools/bifrons/signals.h"

namespace bifrons::testing {
namespace {

using namespace cli;

TEST(StopSignalsDeathTest, FirstAsksSecondInterruptStops) {
  EXPECT_EXIT(
      {
        install_stop_signals();
        raise(SIGTERM);
        raise(SIGTERM);  // asked again, still asked
        if (!stop_requested()) _exit(1);
        raise(SIGINT);
      },
      ::testing::ExitedWithCode(130), "");
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

// Whatever the program is busy with: a library's loop does not look at our flag.
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
