// Measures VQ decodes in pairs: one as a whole, one op by op.
#include <fmt/format.h>

#include <algorithm>

#include "tools/bench/parts.h"

namespace bifrons {

void measure_vq(Bench& bench) {
  Backend& b = bench.backend;
  Model& model = bench.model;
  const int64_t n = model.config.image_tokens(), size = model.decoder.image_size();
  const std::string name = fmt::format("VQ decode {}x{}", size, size);
  bench.attempt(name, [&] {
    const Buffer codes = b.allocate(n * size_of(DType::kI32)), pixels = b.allocate(size * size * 3);
    std::vector<int32_t> ids(n);
    for (int64_t i = 0; i < n; ++i)
      ids[i] = static_cast<int32_t>(31 * i % model.config.vq.codebook);
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
}

}  // namespace bifrons
