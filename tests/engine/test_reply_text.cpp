// Streaming detokenizer: whole characters, no stop texts, no white space at the ends.
#include <gtest/gtest.h>

#include "src/engine/reply_text.h"
#include "tests/support/golden.h"

namespace bifrons {
namespace {

Tokenizer tokenizer() { return Tokenizer::open(golden::directory() + "toy-sees"); }

struct Heard {
  std::vector<std::string> pieces;
  std::string text;
  bool stopped = false;
};

// All pieces that a listener gets for the tokens of `text`, including special tokens.
Heard hear(const std::string& text, std::vector<std::string> stop = {}) {
  const Tokenizer words = tokenizer();
  ReplyText reply(words, std::move(stop));
  Heard heard;
  for (int32_t token : words.encode(text, SpecialTokens::kMatch)) {
    heard.pieces.push_back(reply.add(token));
    if (reply.stopped()) break;
  }
  heard.pieces.push_back(reply.finish());
  for (const std::string& piece : heard.pieces) heard.text += piece;
  EXPECT_EQ(heard.text, reply.text()) << "the pieces make the text";
  heard.stopped = reply.stopped();
  return heard;
}

TEST(ReplyText, PiecesGiveTheStrippedText) {
  EXPECT_EQ(hear(" \n a red  hat\n\n on the hill \n").text, "a red  hat\n\n on the hill");
  EXPECT_EQ(hear("").text, "");
  EXPECT_EQ(hear("  \n ").text, "");
}

TEST(ReplyText, CharactersAreNotSplit) {
  const Heard heard = hear("Füchse 狐 \U0001F98A!");
  EXPECT_EQ(heard.text, "Füchse 狐 \U0001F98A!");
  for (const std::string& piece : heard.pieces) {
    EXPECT_EQ(piece.find("\xEF\xBF\xBD"), std::string::npos) << "half a character was given";
  }
}

TEST(ReplyText, IncompleteCharactersAreReplaced) {
  const Tokenizer words = tokenizer();
  const std::vector<int32_t> fox = words.encode("\U0001F98A", SpecialTokens::kAsText);
  ASSERT_GT(fox.size(), 1u);
  ReplyText reply(words, {});
  std::string text = reply.add(fox[0]);
  EXPECT_EQ(text, "");
  text += reply.add(words.encode("x", SpecialTokens::kAsText)[0]);
  text += reply.finish();
  EXPECT_EQ(text, "\xEF\xBF\xBDx");
}

TEST(ReplyText, StopTextsEndTheReplyAndAreLeftOut) {
  const Heard heard = hear("a red hat END of it", {"END"});
  EXPECT_EQ(heard.text, "a red hat");
  EXPECT_TRUE(heard.stopped);
  const Heard earliest = hear("one two three", {"three", "two"});
  EXPECT_EQ(earliest.text, "one");
  const Heard never = hear("a red hat EN", {"END"});
  EXPECT_EQ(never.text, "a red hat EN") << "a beginning that was held back comes at the end";
  EXPECT_FALSE(never.stopped);
}

TEST(ReplyText, NoPartOfAStopTextIsEmitted) {
  for (const std::string& piece : hear("a hat.\n\nthe end", {"\n\nthe"}).pieces) {
    EXPECT_EQ(piece.find('\n'), std::string::npos);
  }
}

TEST(ReplyText, SpecialTokensGiveNoTextButMayStop) {
  EXPECT_EQ(hear("a <|ref|>hat").text, "a hat");
  const Heard heard = hear("a hat<|User|>: and", {"<|User|>"});
  EXPECT_EQ(heard.text, "a hat");
  EXPECT_TRUE(heard.stopped);
}

}  // namespace
}  // namespace bifrons
