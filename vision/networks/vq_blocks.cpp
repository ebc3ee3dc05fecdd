// Residual and attention blocks as ops, and the scratch memory they use.
#include "vision/networks/vq_blocks.h"

namespace bifrons {
namespace {

// Number of rotating areas. A residual block has x in one area and writes a normalised map and a
// convolved map to the other two. The q, k and v of attention have their own area.
constexpr int kRotating = 3;

}  // namespace

void visit(ResidualBlockWeights& w, const std::string& name, int64_t in, int64_t out,
           WeightVisitor& visitor) {
  w.in = in;
  w.out = out;
  visitor.norm(w.norm1, name + ".norm1", in, true);
  visitor.convolution(w.conv1, name + ".conv1", out, in, 3, Padding::kSame);
  visitor.norm(w.norm2, name + ".norm2", out, true);
  visitor.convolution(w.conv2, name + ".conv2", out, out, 3, Padding::kSame);
  if (in != out) {
    visitor.convolution(w.shortcut, name + ".nin_shortcut", out, in, 1, Padding::kNone);
  }
}

void visit(AttentionBlockWeights& w, const std::string& name, int64_t channels,
           WeightVisitor& visitor) {
  const LinearPart qkv[] = {
      {name + ".q", channels}, {name + ".k", channels}, {name + ".v", channels}};
  visitor.norm(w.norm, name + ".norm", channels, true);
  visitor.linear(w.qkv, qkv, channels, true, LinearForm::kConvolution);
  visitor.linear(w.project, name + ".proj_out", channels, channels, true, LinearForm::kConvolution);
}

int64_t VqBlocks::bytes(int64_t pictures) const {
  return pictures * (kRotating * largest_map_ + 4 * attended_) * size_of(activation_);
}

void VqBlocks::allocate(Backend& b, int64_t pictures) {
  scratch_ = b.allocate(bytes(pictures));
  capacity_ = pictures;
}

Tensor VqBlocks::area(int index, int64_t pictures, int64_t side, int64_t channels) const {
  check(pictures <= capacity_, "vq blocks: more pictures than were allocated");
  return scratch_.view(activation_, {pictures, side, side, channels},
                       index * capacity_ * largest_map_ * size_of(activation_));
}

int VqBlocks::next_area(const Tensor& busy) const {
  const int64_t offset =
      static_cast<std::byte*>(busy.data) - static_cast<std::byte*>(scratch_.data());
  return static_cast<int>(offset / (capacity_ * largest_map_ * size_of(activation_)) + 1) %
         kRotating;
}

Tensor VqBlocks::residual_block(Backend& b, const Tensor& x, const ResidualBlockWeights& w) const {
  const int64_t pictures = x.shape[0], side = x.shape[1];
  const int second = next_area(x), third = (second + 1) % kRotating;
  const Tensor normed = area(second, pictures, side, w.in);
  const Tensor hidden = area(third, pictures, side, w.out);
  b.group_norm(normed, x, w.norm1, groups_, eps_, true);
  b.conv2d(hidden, normed, w.conv1);

  if (w.in == w.out) {
    const Tensor inner = area(second, pictures, side, w.out);
    b.group_norm(inner, hidden, w.norm2, groups_, eps_, true);
    b.conv2d_add(hidden, inner, w.conv2, x);
    return hidden;
  }
  // The shortcut reads x and needs its own area, so the second norm works in place.
  const Tensor shortcut = area(second, pictures, side, w.out);
  b.group_norm(hidden, hidden, w.norm2, groups_, eps_, true);
  b.conv2d(shortcut, x, w.shortcut);
  const Tensor y = area(next_area(hidden), pictures, side, w.out);
  b.conv2d_add(y, hidden, w.conv2, shortcut);
  return y;
}

void VqBlocks::attention_block(Backend& b, const Tensor& x, const AttentionBlockWeights& w) const {
  const int64_t pictures = x.shape[0], n = x.shape[1] * x.shape[2], channels = x.shape[3];
  const Tensor normed = area(next_area(x), pictures, x.shape[1], channels);
  const int64_t offset = kRotating * capacity_ * largest_map_ * size_of(activation_);
  const Tensor qkv = scratch_.view(activation_, {pictures * n, 3 * channels}, offset);
  const Tensor mixed = scratch_.view(activation_, {pictures, n, channels}, offset + qkv.bytes());
  // The rows of each picture, of some columns of qkv.
  const auto columns = [&](int64_t first) {
    Tensor part = mixed;
    part.data = qkv.slice_cols(first, channels).data;
    part.pitch = qkv.pitch;
    return part;
  };
  b.group_norm(normed, x, w.norm, groups_, eps_, false);
  b.linear(qkv, normed.reshape({pictures * n, channels}), w.qkv);
  b.full_attention(mixed, columns(0), columns(channels), columns(2 * channels));
  b.linear_add(x.reshape({pictures * n, channels}), mixed.reshape({pictures * n, channels}),
               w.project);
}

Tensor VqBlocks::normed(Backend& b, const Tensor& x, const Norm& norm) const {
  const Tensor y = area(next_area(x), x.shape[0], x.shape[1], x.shape[3]);
  b.group_norm(y, x, norm, groups_, eps_, true);
  return y;
}

}  // namespace bifrons
