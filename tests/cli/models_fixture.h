// Model directories for tests of the command line.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "tests/cli/run_program.h"
#include "tests/support/golden.h"
#include "tests/support/temporary_directory.h"

namespace bifrons::testing {

namespace fs = std::filesystem;

inline constexpr const char* kCommit = "0123456789abcdef0123456789abcdef01234567";
inline constexpr const char* kPointer =
    "version https://git-lfs.github.com/spec/v1\n"
    "oid sha256:0000000000000000000000000000000000000000000000000000000000000007\n"
    "size 4180000000\n";

// A working directory with the files of a model.
class Models : public ::testing::Test {
 protected:
  // Copies the files of a toy model to `to`, a path in the working directory.
  void copy(const std::string& toy, const std::string& to) const {
    fs::create_directories(scratch_ / to);
    for (const auto& entry : fs::directory_iterator(golden::directory() + toy)) {
      if (entry.is_regular_file()) {
        fs::copy_file(entry.path(), scratch_ / to / entry.path().filename().string(),
                      fs::copy_options::overwrite_existing);
      }
    }
  }
  Outcome run(std::vector<std::string> arguments) const {
    Surroundings where;
    where.directory = scratch_.path();
    where.variables = variables_;
    return run_bifrons(arguments, where);
  }
  Outcome draw(const std::string& model) const {
    return run({"generate", "-m", model, "a fox", "-s", "1", "-o", "q.png", "-y"});
  }
  // Drawing, inspect and doctor must refuse a directory with this text and must draw nothing.
  void expect_refused(const std::string& model, int code, std::string_view text) const {
    SCOPED_TRACE(model);
    const Outcome drawn = draw(model);
    EXPECT_EQ(drawn.exit_code, code) << drawn.err;
    EXPECT_NE(drawn.err.find(text), std::string::npos) << drawn.err;
    EXPECT_FALSE(fs::exists(scratch_ / "q.png"));
    for (const char* command : {"inspect", "doctor"}) {
      const Outcome said = run({command, "-m", model});
      EXPECT_EQ(said.exit_code, code) << command << ": " << said.out << said.err;
      EXPECT_NE((said.out + said.err).find(text), std::string::npos)
          << command << ": " << said.out << said.err;
    }
  }

  TemporaryDirectory scratch_;
  std::map<std::string, std::string> variables_;
};

}  // namespace bifrons::testing
