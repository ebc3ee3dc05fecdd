// Closed and full streams, limits, and signals.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>

#include <chrono>
#include <cstdlib>
#include <thread>

#include "tests/cli/run_program.h"
#include "tests/support/temporary_directory.h"
#include "vision/pictures/picture_file.h"

namespace bifrons::testing {
namespace {

TEST(CliStreams, OutputThatGoesNowhereIsCode73) {
  EXPECT_EQ(run_bifrons({"--version"}, {.stdout_to = "/dev/full"}).exit_code, 73);
  EXPECT_EQ(run_bifrons({"--version"}, {.close_stdout = true}).exit_code, 73);
  EXPECT_EQ(run_bifrons({"--version"}, {.close_reader = true}).exit_code, 73);
  EXPECT_EQ(run_bifrons({"completion", "bash"}, {.stdout_to = "/dev/full"}).exit_code, 73);
}

class DrawingStreams : public ::testing::Test {
 protected:
  void SetUp() override {
    if (model_for_tests().empty()) GTEST_SKIP() << "no model in this checkout";
    where_.directory = scratch_.path();
    where_.variables = {{"BIFRONS_MODEL", model_for_tests()}};
  }

  // Only complete pictures with final names may be in the directory.
  void expect_only_whole_pictures() const {
    for (const std::string& name : scratch_.names()) {
      EXPECT_TRUE(name.ends_with(".png")) << name;
      const std::string file = scratch_.read(name);
      EXPECT_NO_THROW(
          read_picture_info({reinterpret_cast<const uint8_t*>(file.data()), file.size()}))
          << name;
    }
  }

  TemporaryDirectory scratch_;
  Surroundings where_;
};

TEST_F(DrawingStreams, PngBytesGoToStdout) {
  const Outcome outcome = run_bifrons({"a fox", "-s", "1", "-o", "-"}, where_);
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  const PictureFileInfo info =
      read_picture_info({reinterpret_cast<const uint8_t*>(outcome.out.data()), outcome.out.size()});
  EXPECT_TRUE(info.marked_generated);
  EXPECT_EQ(run_bifrons({"a fox", "-c", "2", "-o", "-"}, where_).exit_code, 2);
  EXPECT_EQ(run_bifrons({"a fox", "--grid", "-o", "-"}, where_).exit_code, 2);
  where_.stdout_to = "/dev/full";
  EXPECT_EQ(run_bifrons({"a fox", "-o", "-"}, where_).exit_code, 73);
  EXPECT_TRUE(scratch_.names().empty());
}

TEST_F(DrawingStreams, ClosedStreamsCostNoPicture) {
  where_.close_stdout = true;
  EXPECT_EQ(run_bifrons({"a fox"}, where_).exit_code, 73);
  EXPECT_TRUE(scratch_.names().empty());  // found before drawing
  where_.close_stdout = false;
  where_.stdout_to = "/dev/full";
  EXPECT_EQ(run_bifrons({"a fox", "-s", "1"}, where_).exit_code, 73);
  EXPECT_EQ(scratch_.names(), (std::set<std::string>{"bifrons-1-a-fox.png"}));
  expect_only_whole_pictures();
  where_.stdout_to.clear();
  where_.close_all = true;
  EXPECT_EQ(run_bifrons({"a fox"}, where_).exit_code, 73);
}

TEST_F(DrawingStreams, FileSizeLimitLeavesNothingBehind) {
  struct rlimit before = {};
  getrlimit(RLIMIT_FSIZE, &before);
  struct rlimit small = before;
  small.rlim_cur = 600;  // in bytes; the child process inherits it
  setrlimit(RLIMIT_FSIZE, &small);
  const Outcome outcome = run_bifrons({"a fox", "-q", "-o", "x.png"}, where_);
  setrlimit(RLIMIT_FSIZE, &before);
  EXPECT_EQ(outcome.exit_code, 73);
  EXPECT_NE(outcome.err.find("File too large"), std::string::npos) << outcome.err;
  EXPECT_TRUE(scratch_.names().empty());
}

// Only a terminal gets a progress bar. script(1) provides a terminal.
TEST_F(DrawingStreams, TerminalsGetAProgressBar) {
  const std::string program = "BIFRONS_MODEL='" + model_for_tests() +
                              "' TERM=xterm script -qec \"'" BIFRONS_BINARY "' -p fox -o '" +
                              (scratch_ / "x.png").string() + "'\" '" +
                              (scratch_ / "shown").string() + "' >/dev/null 2>&1 </dev/null";
  if (std::system("command -v script >/dev/null") != 0) GTEST_SKIP() << "no script(1) here";
  ASSERT_EQ(std::system(program.c_str()), 0);
  const std::string shown = scratch_.read("shown");
  EXPECT_NE(shown.find("%|"), std::string::npos);
  EXPECT_NE(shown.find("tok/s]\x1b[K"), std::string::npos);
  EXPECT_NE(shown.find("\r\x1b[K" + (scratch_ / "x.png").string()), std::string::npos);  // erased
  EXPECT_EQ(run_bifrons({"a fox"}, where_).err.find("%|"), std::string::npos);
}

class Signals : public DrawingStreams, public ::testing::WithParamInterface<int> {};

TEST_P(Signals, StopSoonWithCode75AndLeaveNothingHalf) {
  const TemporaryDirectory messages;
  const pid_t process =
      start_bifrons({"a fox", "-c", "9999", "-o", "x.png"}, where_, messages / "err");
  for (int i = 0; i < 5000; ++i) {  // waits until it draws
    if (messages.read("err").find("seeds ") != std::string::npos) break;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  kill(process, GetParam());
  const std::optional<int> code = wait_for_exit(process, 30);
  if (!code) kill(process, SIGKILL);
  EXPECT_EQ(code.value_or(-1), 75) << messages.read("err");
  expect_only_whole_pictures();
}

INSTANTIATE_TEST_SUITE_P(Cli, Signals, ::testing::Values(SIGINT, SIGTERM, SIGHUP, SIGUSR1));

}  // namespace
}  // namespace bifrons::testing
