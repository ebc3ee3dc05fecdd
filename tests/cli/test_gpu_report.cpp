// What `devices` and `doctor` say about a device.
#include <gtest/gtest.h>

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

TEST(GpuReport, MemoryOfACardAndOfAModel) {
  DeviceInfo gpu{"cuda:0", "a card", "", 8 * kGiB};
  EXPECT_TRUE(fit_on(gpu, 8 * kGiB).fits) << "nothing is known of what is free";
  const Fit never = fit_on(gpu, 8 * kGiB + 1);
  EXPECT_FALSE(never.fits);
  EXPECT_NE(never.words.find("take a smaller model"), std::string::npos) << never.words;
  gpu.free_bytes = 2 * kGiB;
  EXPECT_TRUE(fit_on(gpu, 2 * kGiB).fits);
  const Fit now = fit_on(gpu, 3 * kGiB);
  EXPECT_FALSE(now.fits);
  EXPECT_EQ(now.words,
            "cuda:0: one picture of this model takes 3.2 GB, and 2.1 of 8.6 GB are free; close "
            "other programs on this GPU, or draw with --device cpu");
}

}  // namespace
}  // namespace bifrons::cli
