// Control characters in a model's output are replaced, so that it cannot control the terminal.
#include <gtest/gtest.h>

#include "tools/bifrons/streams.h"

namespace bifrons {
namespace {

using namespace cli;

TEST(Harmless, ControlCharactersAreReplaced) {
  EXPECT_EQ(harmless("\x1b[2Jgone"), "\uFFFD[2Jgone");
  EXPECT_EQ(harmless("a\rb\x07\x7f"), "a\uFFFDb\uFFFD\uFFFD");
  EXPECT_EQ(harmless("\u009b2J\u0080\u009f"), "\uFFFD2J\uFFFD\uFFFD");
}

TEST(Harmless, EverythingElseStays) {
  const std::string text = "F\u00fcchse \u00a0\u00a9 \u72d0\n\t\U0001F98A";
  EXPECT_EQ(harmless(text), text);
}

}  // namespace
}  // namespace bifrons
