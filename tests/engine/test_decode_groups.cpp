// Pictures that wait are decoded together, and none depends on the others.
#include <gtest/gtest.h>

#include <future>
#include <map>

#include "src/engine/memory_plan.h"
#include "src/engine/output_thread.h"
#include "src/engine/picture_decoder.h"
#include "src/model/model.h"
#include "src/weights/checkpoint.h"
#include "tests/support/golden.h"
#include "tests/support/other_sums.h"

namespace bifrons {
namespace {

BatchResult result_with(uint64_t id) {
  BatchResult result{.id = id, .drawing = Drawing{}};
  result.drawing->tokens = {static_cast<int32_t>(id)};
  return result;
}

// The first picture is decoded alone, because no other waits. Then five wait.
TEST(DecodeGroups, TheOutputThreadTakesPicturesThatWait) {
  std::promise<void> begun, go_on;
  std::vector<size_t> groups;
  std::vector<uint64_t> order;
  const ResultSink sink = [&](BatchResult result) {
    order.push_back(result.id);
    EXPECT_EQ(result.error.has_value(), result.id == 3);
    EXPECT_NE(result.drawing.has_value(), result.error.has_value());
  };
  OutputThread output(
      sink,
      [&](std::span<const std::span<const int32_t>> codes) {
        if (groups.empty()) {
          begun.set_value();
          go_on.get_future().wait();
        }
        groups.push_back(codes.size());
        std::vector<DecodedPicture> decoded(codes.size());
        for (size_t i = 0; i < codes.size(); ++i) {
          if (codes[i][0] == 3) decoded[i].error = Error(ErrorKind::kData, "not finite");
        }
        return decoded;
      },
      8, [] { return 4; });
  ASSERT_TRUE(output.push(result_with(0)));
  begun.get_future().wait();
  for (uint64_t id = 1; id <= 5; ++id) ASSERT_TRUE(output.push(result_with(id)));
  go_on.set_value();
  output.finish();
  EXPECT_EQ(groups, (std::vector<size_t>{1, 4, 1}));
  EXPECT_EQ(order, (std::vector<uint64_t>{0, 1, 2, 3, 4, 5}));
  EXPECT_EQ(output.failures(), 1);
}

// A device that gives other bits for some numbers of pictures is not asked for these.
TEST(DecodeGroups, APictureKeepsItsBitsOnADeviceWithOtherSums) {
  const std::string directory = golden::directory() + "toy-hf";
  const Checkpoint checkpoint = Checkpoint::open(directory);
  const auto cpu = make_cpu_backend(1);
  struct Want {
    std::vector<int64_t> other;
    int64_t together, passes;
  };
  for (const Want& want : {Want{{}, 4, 2}, Want{{4}, 3, 2}, Want{{3, 4}, 2, 3},
                           Want{{2, 3, 4}, 1, 6}, Want{{2, 3}, 4, 3}}) {
    testing::OtherSums backend(*cpu, want.other);
    const auto model = load_model(backend, read_config(directory), checkpoint, directory);
    backend.in = &model->decoder.weights().conv_in;
    PictureDecoder decoder(model->decoder, backend);
    std::vector<std::vector<int32_t>> codes(6);
    std::vector<std::vector<uint8_t>> alone;
    for (size_t p = 0; p < codes.size(); ++p) {
      for (int64_t i = 0; i < model->decoder.cells(); ++i) {
        const auto mixed = static_cast<int64_t>(p + 3) * (i + 1) * 7;
        codes[p].push_back(static_cast<int32_t>(mixed % model->config.vq.codebook));
      }
      const std::span<const int32_t> one(codes[p]);
      alone.push_back(decoder.decode({&one, 1})[0].picture.rgb);
    }
    decoder.reserve(4);
    decoder.reserve(2);  // a smaller number changes nothing
    EXPECT_EQ(decoder.stats().asked, 4);
    EXPECT_EQ(decoder.stats().together, want.together);
    const std::vector<std::span<const int32_t>> all(codes.begin(), codes.end());
    const DecodeStats before = decoder.stats();
    const std::vector<DecodedPicture> decoded = decoder.decode(all);
    EXPECT_EQ(decoder.stats().passes - before.passes, want.passes);
    EXPECT_EQ(decoder.stats().pictures - before.pictures, 6);
    ASSERT_EQ(decoded.size(), 6u);
    for (size_t p = 0; p < 6; ++p) EXPECT_EQ(decoded[p].picture.rgb, alone[p]) << p;
  }
}

// Refuses large allocations.
class SmallCard final : public ForwardingBackend {
 public:
  using ForwardingBackend::ForwardingBackend;
  Buffer allocate(int64_t bytes) override {
    if (bytes > limit) throw Error(ErrorKind::kUnavailable, "not enough memory");
    return ForwardingBackend::allocate(bytes);
  }
  int64_t limit = INT64_MAX;
};

TEST(DecodeGroups, WithoutMemoryOnePictureAtATimeIsDecoded) {
  const std::string directory = golden::directory() + "toy-hf";
  const auto cpu = make_cpu_backend(1);
  SmallCard backend(*cpu);
  const auto model =
      load_model(backend, read_config(directory), Checkpoint::open(directory), directory);
  PictureDecoder decoder(model->decoder, backend);
  const std::vector<int32_t> codes(model->decoder.cells(), 7);
  const std::vector<std::span<const int32_t>> all(3, std::span<const int32_t>(codes));
  const auto before = decoder.decode(all);
  backend.limit = model->decoder.scratch_bytes(4) - 1;
  decoder.reserve(4);
  EXPECT_EQ(decoder.stats().together, 1);
  const auto after = decoder.decode(all);
  for (size_t p = 0; p < 3; ++p) EXPECT_EQ(after[p].picture.rgb, before[p].picture.rgb);
  backend.limit = INT64_MAX;
  decoder.reserve(4);
  EXPECT_EQ(decoder.stats().together, 4);
  const auto together = decoder.decode(all);
  for (size_t p = 0; p < 3; ++p) EXPECT_EQ(together[p].picture.rgb, before[p].picture.rgb);
}

// An engine that decodes beside drawing, and several pictures in a pass, draws the same pictures.
TEST(DecodeGroups, AnEngineDrawsTheSamePictures) {
  std::vector<DrawRequest> requests(7);
  for (size_t i = 0; i < requests.size(); ++i) requests[i] = {.prompt = "a cat", .seed = i};
  const auto drawn = [&](Engine& engine) {
    std::map<uint64_t, std::vector<uint8_t>> pictures;
    size_t next = 0;
    engine.draw_batch(
        [&]() -> std::optional<BatchJob> {
          if (next == requests.size()) return {};
          const size_t i = next++;
          return BatchJob{i, requests[i]};
        },
        [&](BatchResult result) { pictures[result.id] = result.drawing->picture.rgb; },
        {.lanes = 3});
    return pictures;
  };
  EngineOptions options{.model = golden::directory() + "toy-hf", .threads = 1};
  Engine plain = Engine::open(options);
  const auto expected = drawn(plain);
  EXPECT_EQ(plain.decoding().together, 1);
  EXPECT_EQ(plain.decoding().passes, 7);
  options.decode_beside = true;
  options.decode_together = 4;
  Engine together = Engine::open(options);
  EXPECT_EQ(drawn(together), expected);
  EXPECT_EQ(together.decoding().together, 3) << "no more than lanes";
  EXPECT_EQ(together.decoding().pictures, 7);
  EXPECT_LE(together.decoding().passes, 7);
}

TEST(DecodeGroups, ThePlanCountsTheMapsOfAllPicturesOfAPass) {
  const Config config = shape_named("janus-pro-1b");
  const PlannedPictures planned;
  const auto item = [&](int64_t together, const std::string& name) {
    for (const MemoryItem& each :
         memory_plan(config, DType::kBf16, 8, planned, MemorySpace::kDevice, 0, together)) {
      if (each.name == name) return each.bytes;
    }
    return int64_t{-1};
  };
  // Three maps of 384 x 384 x 128, and q, k, v and the result of attention of 24 x 24 x 512.
  const int64_t maps = (3 * 384 * 384 * 128 + 4 * 24 * 24 * 512) * 2;
  const int64_t scores = 576 * (576 + 512) * 2;
  for (int64_t n = 1; n <= 4; ++n) {
    EXPECT_EQ(item(n, "decoder's maps"), n * maps);
    EXPECT_EQ(item(n, "kernels' scratch") - item(1, "kernels' scratch"), (n - 1) * 4 * scores);
  }
  // What is allocated is what is planned.
  Model model(config, DType::kBf16);
  EXPECT_EQ(model.decoder.scratch_bytes(4), 4 * maps);

  const int64_t more = maps + 4 * scores;
  const int64_t lanes =
      total_bytes(memory_plan(config, DType::kBf16, 8, planned, MemorySpace::kDevice)) -
      total_bytes(memory_plan(config, DType::kBf16, 0, planned, MemorySpace::kDevice));
  const auto fit = [&](int64_t free, int64_t limit = 0, int64_t count = 8) {
    return decoded_together(free, limit, config, DType::kBf16, count);
  };
  EXPECT_EQ(fit(0), 1);
  EXPECT_EQ(fit(lanes), 1);
  EXPECT_EQ(fit(lanes + kShareOfDecoder * more - 1), 1);
  EXPECT_EQ(fit(lanes + kShareOfDecoder * more), 2);
  EXPECT_EQ(fit(lanes + 3 * kShareOfDecoder * more), 4);
  EXPECT_EQ(fit(int64_t{80} << 30), 4);
  EXPECT_EQ(fit(int64_t{80} << 30, 0, 3), 3) << "no more pictures than lanes";
  const int64_t plan =
      total_bytes(memory_plan(config, DType::kBf16, 8, planned, MemorySpace::kDevice));
  EXPECT_EQ(fit(int64_t{80} << 30, plan), 1) << "--max-memory";
  EXPECT_EQ(fit(int64_t{80} << 30, plan + 2 * more), 3);
}

}  // namespace
}  // namespace bifrons
