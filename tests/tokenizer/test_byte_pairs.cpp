// BPE compared with the obvious method: find the best pair in the whole piece, merge it, repeat.
#include <gtest/gtest.h>

#include <map>

#include "src/tokenizer/byte_pairs.h"
#include "tests/tokenizer/fixture.h"

namespace bifrons {
namespace {

using Ids = std::vector<int32_t>;

// Bytes 'a' to 'd' have ids 0 to 3; random merges make new ids.
struct Toy {
  BytePairs pairs;
  std::map<std::pair<int32_t, int32_t>, std::pair<int32_t, int32_t>> merges;  // to rank and id

  explicit Toy(Random& random) {
    BytePairs::ByteIds byte_ids;
    byte_ids.fill(-1);
    for (int i = 0; i < 4; ++i) byte_ids['a' + i] = i;
    pairs = BytePairs(byte_ids, 0);
    int32_t next = 4;
    for (int i = 0; i < 12; ++i) {
      const auto left = static_cast<int32_t>(random.below(next));
      const auto right = static_cast<int32_t>(random.below(next));
      const auto rank = static_cast<int32_t>(merges.size());
      if (!pairs.add(left, right, next)) continue;
      merges[{left, right}] = {rank, next++};
    }
  }

  Ids slowly(std::string_view piece) const {
    Ids ids;
    for (const char c : piece) ids.push_back(c - 'a');
    while (true) {
      auto best = merges.end();
      size_t place = 0;
      for (size_t i = 0; i + 1 < ids.size(); ++i) {
        const auto found = merges.find({ids[i], ids[i + 1]});
        if (found == merges.end()) continue;
        if (best != merges.end() && found->second.first >= best->second.first) continue;
        best = found;
        place = i;
      }
      if (best == merges.end()) return ids;
      ids[place] = best->second.second;
      ids.erase(ids.begin() + static_cast<std::ptrdiff_t>(place) + 1);
    }
  }
};

TEST(BytePairs, EqualsTheQuadraticAlgorithm) {
  Random random(7);
  for (int round = 0; round < 300; ++round) {
    const Toy toy(random);
    for (int text = 0; text < 20; ++text) {
      std::string piece;
      for (uint64_t n = random.below(30); n > 0; --n)
        piece += static_cast<char>('a' + random.below(3));
      Ids ids;
      toy.pairs.encode(piece, ids);
      ASSERT_EQ(ids, toy.slowly(piece)) << piece;
    }
  }
}

TEST(BytePairs, SkipsBytesWithoutToken) {
  Random random(1);
  Ids ids;
  Toy(random).pairs.encode("zzz", ids);
  EXPECT_TRUE(ids.empty());
}

}  // namespace
}  // namespace bifrons
