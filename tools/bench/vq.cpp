// Measures VQ decodes in pairs: one as a whole, one op by op; on a device also passes of several
// pictures, each in turns with one picture.
#include <fmt/format.h>

#include <algorithm>

#include "src/engine/memory_plan.h"
#include "tools/bench/parts.h"
#include "vision/networks/vq_together.h"

namespace bifrons {
namespace {

std::vector<int32_t> bench_codes(int64_t n, int64_t codebook) {
  std::vector<int32_t> ids(n);
  for (int64_t i = 0; i < n; ++i) ids[i] = static_cast<int32_t>(31 * i % codebook);
  return ids;
}

// A row for each number of pictures that drawing may decode in one pass.
void measure_passes(Bench& bench, const std::string& name) {
  Backend& b = bench.backend;
  VqDecoder& decoder = bench.model.decoder;
  const int64_t n = decoder.cells(), size = decoder.image_size();
  decoder.allocate(b, kMostDecodedTogether);
  const std::vector<bool> exact = exact_passes(decoder, b, kMostDecodedTogether);
  const Buffer codes = b.allocate(kMostDecodedTogether * n * size_of(DType::kI32));
  const Buffer pixels = b.allocate(kMostDecodedTogether * size * size * 3);
  const std::vector<int32_t> ids =
      bench_codes(kMostDecodedTogether * n, bench.model.config.vq.codebook);
  b.upload(codes.view(DType::kI32, {kMostDecodedTogether * n}), ids.data());
  const auto decode = [&](Backend& on, int64_t pictures) {
    decoder.decode(on, pixels.view(DType::kU8, {pictures, size, size, 3}),
                   codes.view(DType::kI32, {pictures * n}));
  };
  Case one(
      b, name, [&](Backend& on) { decode(on, 1); }, false);
  for (int64_t pictures = 2; pictures <= kMostDecodedTogether; ++pictures) {
    Case pass(
        b, fmt::format("{}, {} in a pass", name, pictures),
        [&, pictures](Backend& on) { decode(on, pictures); }, false);
    std::vector<double> together, alone;
    for (int i = 0; i < std::max(3, bench.options.repeats); ++i) {
      together.push_back(pass.time());
      alone.push_back(static_cast<double>(pictures) * one.time());
    }
    BenchRow row = row_of(pass.name(), together, pass.work(), 0);
    row.ratio = paired_ratio(together, alone);
    row.ratio_to = "one by one";
    row.same_bits = exact[pictures];
    bench.report.rows.push_back(row);
  }
}

}  // namespace

void measure_vq(Bench& bench) {
  Backend& b = bench.backend;
  Model& model = bench.model;
  const int64_t n = model.config.image_tokens(), size = model.decoder.image_size();
  const std::string name = fmt::format("VQ decode {}x{}", size, size);
  bench.attempt(name, [&] {
    const Buffer codes = b.allocate(n * size_of(DType::kI32)), pixels = b.allocate(size * size * 3);
    const std::vector<int32_t> ids = bench_codes(n, model.config.vq.codebook);
    const Tensor code = codes.view(DType::kI32, {n});
    const Tensor pixel = pixels.view(DType::kU8, {size, size, 3});
    b.upload(code, ids.data());

    Case decode(
        b, name, [&](Backend& on) { model.decoder.decode(on, pixel, code); }, false);
    Profile profile;
    std::vector<double> whole, convolutions, norms, bandwidths;
    // On a CPU a decode takes a second or more, and each repeat has two.
    const int repeats = bench.options.repeats / (b.memory_space() == MemorySpace::kHost ? 4 : 1);
    for (int i = 0; i < std::max(3, repeats); ++i) {
      bandwidths.push_back(bench.measure_bandwidth());
      whole.push_back(decode.time());
      profile = decode.profile();
      convolutions.push_back(profile.times.of(Op::kConv2d) + profile.times.of(Op::kConv2dAdd));
      norms.push_back(profile.times.of(Op::kGroupNorm));
    }
    BenchRow row = row_of(name, whole, decode.work(), 0);
    row.ratio = paired_ratio(whole, convolutions);
    row.ratio_to = "its convolutions alone";
    bench.report.rows.push_back(row);

    const auto flops = [&](Op op) { return profile.counted.of(op).flops; };
    bench.report.rows.push_back(row_of("  its convolutions", convolutions,
                                       {.flops = flops(Op::kConv2d) + flops(Op::kConv2dAdd)}, 0));
    bench.report.rows.push_back(
        row_of("  its group norms", norms, profile.counted.of(Op::kGroupNorm), median(bandwidths)));
  });
  if (b.memory_space() == MemorySpace::kHost) return;  // a CPU decodes one at a time
  bench.attempt(name + ", several in a pass", [&] { measure_passes(bench, name); });
}

}  // namespace bifrons
