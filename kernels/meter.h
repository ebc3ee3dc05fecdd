// Counts calls, bytes and FLOPs per op, so that a measured time can be compared with the roofline.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <string_view>

namespace bifrons {

enum class Op : uint8_t {
  kGather,
  kRmsNorm,
  kLinear,
  kLinearAdd,
  kRopeAppend,
  kAttention,
  kSwiglu,
  kNormLinearRope,
  kNormLinearSwiglu,
  kNormLinearGelu,
  kGelu,
  kGuide,
  kSample,
  kAdvance,
  kGroupNorm,
  kConv2d,
  kConv2dAdd,
  kUpsample2x,
  kFullAttention,
  kToPixels,
  kLayerNorm,
  kForceIds,
  kRecordIds,
  kGuideSample,
  kFinishStep,
  kAcceptDrafts,
  kCount,
};

// Names of the ops for reports, in the order of Op.
inline constexpr std::string_view kOpNames[] = {"gather",
                                                "rms_norm",
                                                "linear",
                                                "linear_add",
                                                "rope_append",
                                                "attention",
                                                "swiglu",
                                                "norm_linear_rope",
                                                "norm_linear_swiglu",
                                                "norm_linear_gelu",
                                                "gelu",
                                                "guide",
                                                "sample",
                                                "advance",
                                                "group_norm",
                                                "conv2d",
                                                "conv2d_add",
                                                "upsample2x",
                                                "full_attention",
                                                "to_pixels",
                                                "layer_norm",
                                                "force_ids",
                                                "record_ids",
                                                "guide_sample",
                                                "finish_step",
                                                "accept_drafts"};
static_assert(std::size(kOpNames) == static_cast<size_t>(Op::kCount));

constexpr std::string_view name_of(Op op) {
  return op < Op::kCount ? kOpNames[static_cast<size_t>(op)] : "?";
}

// Sums since the last reset; one Meter per backend, not shared between threads.
class Meter {
 public:
  struct Count {
    int64_t calls = 0;
    int64_t bytes = 0;  // weights as stored, plus activations and cache read and written
    int64_t flops = 0;  // two per multiply-add
  };

  void add(Op op, int64_t bytes, int64_t flops) {
    Count& c = counts_[static_cast<size_t>(op)];
    ++c.calls;
    c.bytes += bytes;
    c.flops += flops;
  }
  // Adds everything that another meter counted.
  void add(const Meter& other) {
    for (size_t i = 0; i < counts_.size(); ++i) {
      counts_[i].calls += other.counts_[i].calls;
      counts_[i].bytes += other.counts_[i].bytes;
      counts_[i].flops += other.counts_[i].flops;
    }
  }
  const Count& of(Op op) const { return counts_[static_cast<size_t>(op)]; }
  Count total() const {
    Count sum;
    for (const Count& c : counts_) {
      sum.calls += c.calls;
      sum.bytes += c.bytes;
      sum.flops += c.flops;
    }
    return sum;
  }
  void reset() { counts_ = {}; }

 private:
  std::array<Count, static_cast<size_t>(Op::kCount)> counts_{};
};

// Wall seconds per op since the last reset (Backend::time_ops).
class OpTimes {
 public:
  void add(Op op, double seconds) { seconds_[static_cast<size_t>(op)] += seconds; }
  double of(Op op) const { return seconds_[static_cast<size_t>(op)]; }
  void reset() { seconds_ = {}; }

 private:
  std::array<double, static_cast<size_t>(Op::kCount)> seconds_{};
};

}  // namespace bifrons
