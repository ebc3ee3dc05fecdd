// Names of the ops, for reports.
#include "kernels/meter.h"

#include <iterator>

namespace bifrons {
namespace {

// In the order of Op.
constexpr std::string_view kNames[] = {
    "gather",     "rms_norm",   "linear",           "linear_add",         "rope_append",
    "attention",  "swiglu",     "norm_linear_rope", "norm_linear_swiglu", "gelu",
    "guide",      "sample",     "advance",          "group_norm",         "conv2d",
    "conv2d_add", "upsample2x", "full_attention",   "to_pixels",          "layer_norm",
    "force_ids",  "record_ids", "guide_sample",     "finish_step",        "accept_drafts",
};
static_assert(std::size(kNames) == static_cast<size_t>(Op::kCount));

}  // namespace

std::string_view name_of(Op op) { return op < Op::kCount ? kNames[static_cast<size_t>(op)] : "?"; }

}  // namespace bifrons
