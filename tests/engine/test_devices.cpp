// Error messages for devices that cannot be used, and for too little memory.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <map>

#include "kernels/devices.h"
#include "src/bifrons.h"
#include "src/edit.h"
#include "src/engine/memory_plan.h"
#include "src/engine/open_device.h"
#include "src/model/model.h"
#include "src/think.h"
#include "tests/support/golden.h"

namespace bifrons {
namespace {

std::string device_refusal(const std::function<void()>& body) {
  try {
    body();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kUnavailable) << error.what();
    return error.what();
  }
  return "nothing was thrown";
}

TEST(Devices, UnknownNamesAreRefused) {
  for (const std::string name :
       {"warp", "cuda:", "cuda:x", "cuda:-1", "cuda:1x", "CUDA", "cuda0", "cuda:99999999999", ""}) {
    EXPECT_NE(device_refusal([&] { open_device(name, 1); }).find("no device"), std::string::npos)
        << name;
  }
}

TEST(Devices, TheCpuTakesTheNameOfAnInstructionSet) {
  for (const std::string_view isa : cpu_instruction_sets()) {
    const OpenDevice device = open_device("cpu:" + std::string(isa), 1);
    EXPECT_EQ(device.backend->description(), std::string(isa) + ", 1 thread");
  }
  for (const std::string name : {"cpu:", "cpu:avx1024", "cpu:AVX2", "cpu:avx2 "}) {
    EXPECT_NE(device_refusal([&] { open_device(name, 1); }).find("it has: "), std::string::npos)
        << name;
  }
}

TEST(Devices, TheCpuIsListedFirstAndAutoAlwaysOpens) {
  const std::vector<DeviceInfo> all = devices();
  ASSERT_GE(all.size(), 2u);
  EXPECT_EQ(all[0].name, "cpu");
  EXPECT_EQ(all[0].problem, "");
  const OpenDevice best = open_device("auto", 1);
  const bool gpu = best.backend->name() == "cuda";
  EXPECT_EQ(best.fallback.empty(), gpu || !cuda_status().built);
}

TEST(Devices, AMissingGpuIsReported) {
  const CudaStatus status = cuda_status();
  if (status.problem.empty()) GTEST_SKIP() << "this machine has a GPU";
  EXPECT_EQ(device_refusal([] { open_device("cuda", 1); }).find("cannot use the GPU: "), 0u);
  EXPECT_NE(device_refusal([] { open_device("cuda:0", 1); }).find(status.problem),
            std::string::npos);
}

// In words of the machine, not of a GPU; and in formats that would fit.
TEST(Memory, AHostThatDoesNotHoldTheModelNamesWeightsThatItHolds) {
  Config config = shape_named("janus-pro-7b");
  const auto bytes = [&](LinearFormat weights) {
    config.loaded = weights;
    const int64_t all = total_bytes(
        memory_plan(config, DType::kBf16, 1, kPlannedPromptTokens, MemorySpace::kHost, 1));
    config.loaded = LinearFormat::kStored;
    return all;
  };
  const auto refusal_with = [&](int64_t free) {
    return device_refusal(
        [&] { check_fits(free, config, DType::kBf16, 1, 1, {}, MemorySpace::kHost); });
  };
  const int64_t stored = bytes(LinearFormat::kStored), int4 = bytes(LinearFormat::kInt4);
  check_fits(stored, config, DType::kBf16, 1, 1, {}, MemorySpace::kHost);
  EXPECT_EQ(refusal_with(int4),
            fmt::format("this machine can give {} bytes of memory, but drawing a picture needs {} "
                        "bytes; close other programs, or take a smaller model; with --weights "
                        "int4 it needs {} bytes, which would fit",
                        int4, stored, int4));
  EXPECT_EQ(refusal_with(int4 - 1).find("which would fit"), std::string::npos);
  EXPECT_NE(refusal_with(stored - 1).find("with --weights int8 it needs "), std::string::npos);
}

TEST(Memory, MessageSaysWhatWouldFit) {
  const Config config = shape_named("janus-pro-1b");
  const auto bytes = [&](int64_t pictures) {
    int64_t sum = 0;
    for (const MemoryItem& item :
         memory_plan(config, DType::kBf16, pictures, kPlannedPromptTokens, MemorySpace::kDevice)) {
      sum += item.bytes;
    }
    return sum;
  };
  const auto fits = [&](std::optional<int64_t> free, int64_t pictures) {
    check_fits(free, config, DType::kBf16, pictures);
  };
  fits(std::nullopt, 1000);
  fits(bytes(4), 4);
  const std::string four = device_refusal([&] { fits(bytes(4) - 1, 4); });
  EXPECT_NE(four.find("drawing 4 pictures at once needs " + std::to_string(bytes(4)) +
                      " bytes; 3 at once would fit"),
            std::string::npos)
      << four;
  const std::string none = device_refusal([&] { fits(1000, 4); });
  EXPECT_NE(none.find("1000 bytes free"), std::string::npos) << none;
  EXPECT_NE(none.find("takes " + std::to_string(bytes(1)) +
                      " bytes for one picture: close other programs on the GPU"),
            std::string::npos)
      << none;
}

TEST(Memory, MessageSaysWhichWindowsWouldFit) {
  const Config config = shape_named("janus-pro-1b");
  const auto bytes = [&](int width) {
    return total_bytes(
        memory_plan(config, DType::kBf16, 2, kPlannedPromptTokens, MemorySpace::kDevice, width));
  };
  const auto said = [&](int64_t free, int width) {
    return device_refusal([&] { check_fits(free, config, DType::kBf16, 2, width); });
  };
  EXPECT_NE(said(bytes(16), 17).find("; --speculate 16 would fit"), std::string::npos);
  EXPECT_NE(said(bytes(1), 64).find("; --speculate off would fit"), std::string::npos);
  EXPECT_EQ(said(bytes(1) - 1, 64).find("--speculate"), std::string::npos)
      << "narrower windows alone would not help";
}

TEST(Memory, MessageSaysThatAnInt8CacheWouldFit) {
  const Config config = shape_named("janus-pro-1b");
  const auto bytes = [&](PlanFormats formats, int64_t pictures) {
    return total_bytes(
        memory_plan(config, formats, pictures, kPlannedPromptTokens, MemorySpace::kDevice));
  };
  const PlanFormats int8{DType::kBf16, KvFormat::kInt8};
  const auto said = [&](int64_t free, PlanFormats formats, int64_t pictures) {
    return device_refusal([&] { check_fits(free, config, formats, pictures); });
  };
  EXPECT_LT(bytes(int8, 4), bytes(DType::kBf16, 4));
  const std::string needs = "with --kv int8 it needs " + std::to_string(bytes(int8, 4)) + " bytes";
  EXPECT_NE(said(bytes(int8, 4), DType::kBf16, 4).find(needs), std::string::npos);
  EXPECT_EQ(said(bytes(int8, 4) - 1, DType::kBf16, 4).find("--kv"), std::string::npos);
  EXPECT_EQ(said(bytes(int8, 4) - 1, int8, 4).find("--kv"), std::string::npos);
  check_fits(bytes(int8, 4), config, int8, 4);
}

// Only when not even one picture fits: fewer bits make another model.
TEST(Memory, MessageSaysWhichWeightsWouldFit) {
  const Config config = shape_named("janus-pro-7b");
  const auto bytes = [&](LinearFormat format, int64_t pictures) {
    Config loaded = config;
    loaded.loaded = format;
    return total_bytes(
        memory_plan(loaded, DType::kBf16, pictures, kPlannedPromptTokens, MemorySpace::kDevice));
  };
  const int64_t stored = bytes(LinearFormat::kStored, 1), int8 = bytes(LinearFormat::kInt8, 1),
                int4 = bytes(LinearFormat::kInt4, 1);
  const auto said = [&](int64_t free, int64_t pictures) {
    return device_refusal([&] { check_fits(free, config, DType::kBf16, pictures); });
  };
  const auto advice = [](const std::string& format, int64_t needed) {
    return "; with --weights " + format + " it needs " + std::to_string(needed) + " bytes";
  };
  EXPECT_NE(said(int8, 1).find(advice("int8", int8)), std::string::npos) << said(int8, 1);
  EXPECT_NE(said(int8 - 1, 1).find(advice("int4", int4)), std::string::npos);
  EXPECT_EQ(said(int4 - 1, 1).find("--weights"), std::string::npos);
  EXPECT_EQ(said(stored, 2).find("--weights"), std::string::npos) << "one picture fits";
}

// Fewer lanes first, then the int8 cache if it is allowed, then a sentence.
TEST(Memory, ALimitIsKept) {
  const Config config = shape_named("janus-pro-1b");
  const PlanFormats int8{DType::kBf16, KvFormat::kInt8};
  const auto bytes = [&](PlanFormats formats, int64_t pictures) {
    return total_bytes(memory_plan(config, formats, pictures, kPlannedPromptTokens));
  };
  const auto within = [&](int64_t limit, bool allowed, PlanFormats formats = DType::kBf16) {
    return lanes_within({limit, allowed}, config, formats, MemorySpace::kHost);
  };
  for (const int pictures : {1, 2, 5, 64}) {
    const WithinLimit kept = within(bytes(DType::kBf16, pictures), true);
    EXPECT_EQ(kept.most_lanes, pictures);
    EXPECT_EQ(kept.kv, KvFormat::kStored) << "fewer pictures come first";
    EXPECT_EQ(within(bytes(int8, pictures), false, int8).most_lanes, pictures);
  }
  const int64_t tight = bytes(DType::kBf16, 1) - 1;
  EXPECT_EQ(within(tight, true).kv, KvFormat::kInt8);
  EXPECT_GE(within(tight, true).most_lanes, 1);
  const std::string refused = device_refusal([&] { within(tight, false); });
  EXPECT_EQ(refused, "--max-memory allows " + std::to_string(tight) +
                         " bytes, but drawing one picture needs " +
                         std::to_string(bytes(DType::kBf16, 1)) + " bytes, and " +
                         std::to_string(bytes(int8, 1)) + " with --kv int8; --kv int8 would fit");
  for (const bool allowed : {false, true}) {
    const std::string none = device_refusal([&] { within(bytes(int8, 1) - 1, allowed); });
    EXPECT_NE(none.find("; allow more, or take a smaller model"), std::string::npos) << none;
  }
  EXPECT_EQ(device_refusal([&] { within(bytes(int8, 1) - 1, false, int8); }).find("--kv"),
            std::string::npos);
}

// A thought or an edit takes more than a picture, and a limit allows fewer of them at once.
TEST(Memory, ThoughtsAndEditsAreCounted) {
  const Config config = shape_named("janus-pro-1b");
  const PlannedPictures plain, thinks = planned_pictures({thought_style("t2i-r1"), {}, {}}),
                               three_rows{.edit = &edit_style("janus-4o")},
                               two_rows{.edit = &edit_style("janus-pro-r1")},
                               reflects{.reflects = 80};
  EXPECT_GE(thinks.prompt_tokens, 512 + kPlannedPromptTokens);
  EXPECT_EQ(planned_rows(config, three_rows).rows, 3);
  EXPECT_EQ(planned_rows(config, three_rows).prompt_tokens, 576 + 576 + kPlannedPromptTokens);
  EXPECT_EQ(planned_rows(config, reflects).rows, 2);
  EXPECT_GT(planned_rows(config, reflects).prompt_tokens, 576 + 80 + kPlannedPromptTokens);
  EXPECT_EQ(planned_rows(config, two_rows).rows, 2);
  EXPECT_EQ(planned_rows(config, two_rows).prompt_tokens, 576 + kPlannedPromptTokens);
  const auto plan = [&](const PlannedPictures& planned, int64_t pictures) {
    std::map<std::string, int64_t> items;
    for (const MemoryItem& item : memory_plan(config, DType::kBf16, pictures, planned)) {
      items[item.name] += item.bytes;
    }
    return items;
  };
  // lm_head: 102,400 x 2,048 numbers of 2 bytes.
  EXPECT_EQ(plan(thinks, 1).at("text head"), int64_t{102'400} * 2048 * 2);
  EXPECT_FALSE(plan(plain, 1).contains("text head"));
  EXPECT_TRUE(plan(three_rows, 1).contains("vision tower, aligner, text head"));
  EXPECT_FALSE(plan(two_rows, 1).contains("vision tower, aligner, text head"));
  EXPECT_TRUE(plan(two_rows, 1).contains("visual tokenizer, encoder"));
  // Keys and values of 24 layers, 2 x 2,048 numbers of 2 bytes for each position.
  EXPECT_GE(plan(three_rows, 1).at("keys and values"), 3 * (1216 + 575) * 24 * 4096 * 2);
  const auto most = [&](const PlannedPictures& planned, int64_t limit) {
    return lanes_within({limit, false}, config, DType::kBf16, MemorySpace::kHost, 0, planned)
        .most_lanes;
  };
  // SigLIP's 24 layers of width 1,024 alone have 12 x 1,024^2 numbers each.
  EXPECT_GT(plan(reflects, 1).at("judge of pictures"), int64_t{24} * 12 * 1024 * 1024 * 2);
  EXPECT_TRUE(plan(reflects, 1).contains("visual tokenizer, encoder"));
  for (const PlannedPictures& planned : {thinks, three_rows, two_rows, reflects}) {
    const int64_t limit =
        total_bytes(memory_plan(config, DType::kBf16, 3, planned, MemorySpace::kHost));
    EXPECT_EQ(most(planned, limit), 3);
    EXPECT_GT(most(plain, limit), 3);
  }
  EXPECT_GT(lanes_that_fit(int64_t{4} << 30, config, DType::kBf16, 0, plain),
            lanes_that_fit(int64_t{4} << 30, config, DType::kBf16, 0, three_rows));
  // More than the positions hold is not planned.
  EXPECT_EQ(planned_rows(config, {.prompt_tokens = 99'999}).prompt_tokens, 16384 - 576 + 1);
}

TEST(Memory, AnEnginePlansAgain) {
  const std::string model = golden::directory() + "toy-hf";
  const EditStyle& style = edit_style("janus-4o");
  const auto bytes = [&](const PlannedPictures& planned, int lanes) {
    return total_bytes(
        Engine::open({.model = model, .device = "cpu", .planned = planned}).memory_plan(lanes));
  };
  EngineOptions options{.model = model, .device = "cpu"};
  options.max_memory = bytes({.edit = &style}, 2);
  Engine engine = Engine::open(options);
  EXPECT_GT(engine.most_lanes(), 2);
  engine.plan_for({.edit = &style});
  EXPECT_EQ(engine.most_lanes(), 2);
  EXPECT_LE(engine.automatic_lanes(), 2);
  EXPECT_EQ(total_bytes(engine.memory_plan(2)), options.max_memory);
  engine.plan_for({});
  EXPECT_GT(engine.most_lanes(), 2);
  options.max_memory = bytes({}, 1);
  Engine tight = Engine::open(options);
  EXPECT_NE(device_refusal([&] { tight.plan_for({.edit = &style}); }).find("--max-memory allows"),
            std::string::npos);
  EXPECT_EQ(tight.planned(), PlannedPictures{}) << "it goes on as before";
}

TEST(Devices, LanesFillTheMemoryUpToALimit) {
  // A lane has two rows of 639 positions, 192 KiB each.
  const Config config = shape_named("janus-pro-1b");
  const auto lanes = [&](int64_t bytes) { return lanes_that_fit(bytes, config, DType::kBf16); };
  EXPECT_EQ(lanes(int64_t{80} << 30), 64);
  EXPECT_EQ(lanes(int64_t{10} << 30), 32);
  EXPECT_EQ(lanes(int64_t{2} << 30), 4);
  EXPECT_EQ(lanes(0), 1) << "one is tried in any case";
  EXPECT_LE(lanes_that_fit({}, config, DType::kBf16), 16) << "on a host";
}

}  // namespace
}  // namespace bifrons
