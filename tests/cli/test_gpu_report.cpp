// What `devices` and `doctor` say about a device.
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "tools/bifrons/gpu_report.h"

namespace bifrons::cli {
namespace {

constexpr int64_t kGiB = int64_t{1} << 30;

TEST(GpuReport, ADeviceIsALine) {
  EXPECT_EQ(device_line({"cpu", "amx, 2 threads", ""}), "cpu      amx, 2 threads\n");
  EXPECT_EQ(device_line({"cuda", "", "there is no NVIDIA GPU"}),
            "cuda     cannot be used: there is no NVIDIA GPU\n");
  EXPECT_EQ(device_line({"cuda:1", "an old card", "it is too old"}),
            "cuda:1   an old card; cannot be used: it is too old\n");
}

Fit fit(const DeviceInfo& gpu, int64_t stored, int64_t int8 = 0, int64_t int4 = 0) {
  std::vector<std::pair<std::string, int64_t>> needed{{"stored", stored}};
  if (int8 > 0) needed.insert(needed.end(), {{"int8", int8}, {"int4", int4}});
  return fit_on(gpu, needed);
}

TEST(GpuReport, MemoryOfACardAndOfAModel) {
  DeviceInfo gpu{"cuda:0", "a card", "", 8 * kGiB};
  EXPECT_TRUE(fit(gpu, 8 * kGiB).fits) << "nothing is known of what is free";
  const Fit never = fit(gpu, 8 * kGiB + 1);
  EXPECT_FALSE(never.fits);
  EXPECT_NE(never.words.find("take a smaller model"), std::string::npos) << never.words;
  gpu.free_bytes = 2 * kGiB;
  EXPECT_TRUE(fit(gpu, 2 * kGiB).fits);
  const Fit now = fit(gpu, 3 * kGiB);
  EXPECT_FALSE(now.fits);
  EXPECT_EQ(now.words,
            "cuda:0: one picture of this model takes 3.2 GB, and 2.1 of 8.6 GB are free; close "
            "other programs on this GPU, or draw with --device cpu");
}

TEST(GpuReport, NamesTheFormatThatWouldFit) {
  const DeviceInfo gpu{"cuda:0", "a card", "", 8 * kGiB, 7 * kGiB};
  const std::string first =
      "cuda:0: one picture of this model takes 13.5 GB, and 7.5 of 8.6 GB are free; ";
  const Fit int8 = fit(gpu, 13'500'000'000, 7'400'000'000, 4'700'000'000);
  EXPECT_FALSE(int8.fits);
  EXPECT_EQ(int8.words, first + "--weights int8 takes 7.4 GB");
  EXPECT_EQ(fit(gpu, 13'500'000'000, 7'600'000'000, 4'700'000'000).words,
            first + "--weights int4 takes 4.7 GB");
  EXPECT_EQ(fit(gpu, 13'500'000'000, 9'000'000'000, 8'000'000'000).words,
            first + "take a smaller model, or draw with --device cpu");
}

}  // namespace
}  // namespace bifrons::cli
