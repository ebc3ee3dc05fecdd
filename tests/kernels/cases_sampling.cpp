// Cases of the sampler: guidance, sampling, forced and recorded ids.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "kernels/sampling.h"
#include "tests/kernels/op_case.h"

namespace bifrons::testing {
namespace {

using reference::SampleSettings;

// Every value once for each row of its picture.
Values repeated(const Values& values, int64_t rows = 2) {
  Values all;
  for (double v : values) all.insert(all.end(), rows, v);
  return all;
}

template <typename Read>
Values column(const std::vector<SampleSettings>& draws, Read read) {
  Values values;
  for (const SampleSettings& draw : draws) values.push_back(static_cast<double>(read(draw)));
  return values;
}

// Every picture is sampled from its own row of `guided` with its own settings.
OpCase sample_case(const std::string& name, const Values& guided,
                   const std::vector<SampleSettings>& draws, int64_t rows = 2) {
  const int64_t pictures = static_cast<int64_t>(draws.size());
  const int64_t codes = static_cast<int64_t>(guided.size()) / pictures;
  const auto prepare = [=](Backend& b, Operands& w) {
    const auto add = [&](DType dtype, std::vector<int64_t> shape, const Values& values) {
      w.in.emplace_back(b, dtype, shape, values);
    };
    w.in.emplace_back(b, DType::kF32, std::vector{pictures, codes}, guided, kGap);
    add(DType::kF32, {pictures},
        column(draws, [](const SampleSettings& d) { return d.temperature; }));
    add(DType::kI32, {pictures}, column(draws, [](const SampleSettings& d) { return d.top_k; }));
    add(DType::kF32, {pictures}, column(draws, [](const SampleSettings& d) { return d.top_p; }));
    Values seeds;
    for (const SampleSettings& d : draws) {
      seeds.push_back(static_cast<int32_t>(d.seed));
      seeds.push_back(static_cast<int32_t>(d.seed >> 32));
    }
    add(DType::kI32, {pictures, 2}, seeds);
    add(DType::kI32, {pictures}, column(draws, [](const SampleSettings& d) { return d.step; }));
    w.out.emplace_back(b, DType::kI32, std::vector{rows * pictures});
  };
  const auto run = [stream = draws.front().stream](Backend& b, Operands& w) {
    const auto at = [&](size_t i) { return w.in[i].tensor(); };
    const SampleControls controls{.temperature = at(1),
                                  .top_k = at(2),
                                  .top_p = at(3),
                                  .seed = at(4),
                                  .step = at(5),
                                  .stream = stream};
    b.sample(w.out[0].tensor(), at(0), controls);
  };
  const auto expect = [=] {
    Values ids;
    for (int64_t p = 0; p < pictures; ++p) {
      const Values row(guided.begin() + p * codes, guided.begin() + (p + 1) * codes);
      ids.push_back(static_cast<double>(reference::sample(row, draws[p])));
    }
    return repeated(ids, rows);
  };
  return {.name = "sample_" + name,
          .op = Op::kSample,
          .prepare = prepare,
          .run = run,
          .expect = expect,
          .tolerance = {},
          .bytes = 4 * pictures * codes + 4 * rows * pictures,
          .flops = 2 * pictures * codes};
}

Values logits(uint32_t seed, int64_t n) {
  Values values = spread(seed, n, DType::kF32);
  for (double& v : values) v = reference::rounded(v * 6.0, DType::kF32);
  return values;
}

// Values that many codes share, so that the limits of top-k and top-p fall among equal values.
Values coarse_logits(uint32_t seed, int64_t n) {
  Values values = logits(seed, n);
  for (double& v : values) v = std::floor(v);
  return values;
}

// Rows that cannot be sampled (NaN, +inf), beside one that can.
OpCase damaged_case(int64_t codes) {
  Values guided = logits(31, 5 * codes);
  guided[0 * codes + codes - 1] = NAN;
  guided[1 * codes + 3] = INFINITY;
  guided[2 * codes + 4] = -INFINITY;
  guided[4 * codes + 0] = NAN;
  std::vector<SampleSettings> draws(5);
  draws[4].temperature = 0.0;
  return sample_case(fmt::format("damaged_{}", codes), guided, draws);
}

// All kinds of settings in one call.
std::vector<SampleSettings> all_draws() {
  std::vector<SampleSettings> draws{
      {.temperature = 0.0},
      {.seed = 12345, .step = 0},
      {.seed = 0xfedcba9876543210u, .step = 575},
      {.temperature = 0.7, .top_k = 50, .seed = 3, .step = 7},
      {.temperature = 1.5, .top_p = 0.9, .seed = 4, .step = 9},
      {.temperature = 0.9, .top_k = 20, .top_p = 0.5, .seed = 5, .step = 11},
      {.top_k = 20, .top_p = 0.9999, .seed = 10},
      {.top_k = 1, .seed = 6},
      {.top_k = 1 << 30, .seed = 7},
      {.top_p = 1e-9, .seed = 8},
  };
  for (SampleSettings& draw : draws) {
    draw.temperature = reference::rounded(draw.temperature, DType::kF32);
    draw.top_p = reference::rounded(draw.top_p, DType::kF32);
  }
  return draws;
}

// Extreme temperatures: most quotients leave the range of f32. Logits are above zero, below zero or
// tiny.
OpCase extreme_case(int64_t codes) {
  const std::vector<double> temperatures{1e-45, 3e-39, 1.17549435e-38, 2e-38, 1e-30, 1e-6, 1e6};
  std::vector<SampleSettings> draws;
  Values guided;
  for (size_t i = 0; i < 4 * temperatures.size(); ++i) {
    SampleSettings draw{.temperature = reference::rounded(temperatures[i / 4], DType::kF32),
                        .seed = i};
    if (i % 4 == 2) draw.top_k = 3;
    if (i % 4 == 3) draw.top_p = 0.5;
    draws.push_back(draw);
    Values row = logits(static_cast<uint32_t>(40 + i), codes);
    for (double& v : row) {  // the highest is above zero, below it, or tiny
      if (i % 4 == 1) v = -20.0 - std::fabs(v);
      if (i % 4 == 2) v *= 1e-3;
      v = reference::rounded(v, DType::kF32);
    }
    if (i % 4 == 3) row[0] = -INFINITY;
    guided.insert(guided.end(), row.begin(), row.end());
  }
  return sample_case(fmt::format("extreme_{}", codes), guided, draws);
}

// The noise of thoughts.
OpCase thought_case(int64_t tokens) {
  std::vector<SampleSettings> draws = all_draws();
  for (SampleSettings& draw : draws) draw.stream = kThoughtTokenStream;
  return sample_case(fmt::format("thoughts_{}", tokens), logits(91, std::ssize(draws) * tokens),
                     draws);
}

OpCase tied_case() {
  Values guided(3 * 9, 0.25);
  guided[0] = -1.0;
  std::vector<SampleSettings> draws(3);
  draws[0].temperature = 0.0;            // the lowest code of the highest value
  draws[1] = {.top_k = 3, .seed = 5};    // codes 0, 1, 2
  draws[2] = {.top_p = 0.5, .seed = 6};  // codes 0 .. 4
  return sample_case("tied", guided, draws);
}

// Every second of the `tokens` codes of a picture is forced. Steps before the first and after the
// last one force nothing. The sampled id is 1000 + picture.
OpCase force_ids_case(int64_t pictures, int64_t tokens, int64_t rows = 2) {
  Values forced, steps, drawn, kept;
  for (int64_t p = 0; p < pictures; ++p) {
    const int64_t step = (11 * p) % (tokens + 2) - 1;
    for (int64_t t = 0; t < tokens; ++t) {
      forced.push_back((p + t) % 2 == 0 ? static_cast<double>(10 * p + t) : -1.0);
    }
    const bool holds = step >= 0 && step < tokens && (p + step) % 2 == 0;
    steps.push_back(static_cast<double>(step));
    drawn.push_back(static_cast<double>(1000 + p));
    kept.push_back(static_cast<double>(holds ? 10 * p + step : 1000 + p));
  }
  return {.name = fmt::format("keep_{}x{}{}", pictures, tokens, rows == 2 ? "" : "_three_rows"),
          .op = Op::kForceIds,
          .prepare =
              [=](Backend& b, Operands& w) {
                w.in.emplace_back(b, DType::kI32, std::vector{pictures, tokens}, forced, kGap);
                w.in.emplace_back(b, DType::kI32, std::vector{pictures}, steps);
                w.out.emplace_back(b, DType::kI32, std::vector{rows * pictures},
                                   repeated(drawn, rows));
              },
          .run =
              [](Backend& b, Operands& w) {
                b.force_ids(w.out[0].tensor(), w.in[0].tensor(), w.in[1].tensor());
              },
          .expect = [=] { return repeated(kept, rows); },
          .tolerance = {},
          .bytes = (4 * rows + 8) * pictures,
          .flops = 0};
}

// Picture p has sampled 1000 + p in step 7 p.
OpCase record_ids_case(int64_t pictures, int64_t places, int64_t rows = 2) {
  Values steps, drawn, ring;
  for (int64_t p = 0; p < pictures; ++p) {
    steps.push_back(static_cast<double>(7 * p));
    drawn.push_back(static_cast<double>(1000 + p));
    for (int64_t n = 0; n < places; ++n) {
      ring.push_back(n == 7 * p % places ? static_cast<double>(1000 + p) : -5.0);
    }
  }
  return {.name = fmt::format("note_{}x{}{}", pictures, places, rows == 2 ? "" : "_three_rows"),
          .op = Op::kRecordIds,
          .prepare =
              [=](Backend& b, Operands& w) {
                w.in.emplace_back(b, DType::kI32, std::vector{rows * pictures},
                                  repeated(drawn, rows));
                w.in.emplace_back(b, DType::kI32, std::vector{pictures}, steps);
                w.out.emplace_back(b, DType::kI32, std::vector{pictures, places},
                                   Values(pictures * places, -5.0), kGap);
              },
          .run =
              [](Backend& b, Operands& w) {
                b.record_ids(w.out[0].tensor(), w.in[0].tensor(), w.in[1].tensor());
              },
          .expect = [=] { return ring; },
          .tolerance = {},
          .bytes = 12 * pictures,
          .flops = 0};
}

// Windows of `width` columns. Picture p is at token 3 p; its drafts are right up to column
// p mod width, and every fifth code is forced. Sampled codes are 100 + column.
struct DraftState {
  Values inputs, ids, forced, step, position, ring, pass;
};

DraftState draft_state(int64_t pictures, int64_t width, int64_t tokens, int64_t slots,
                       int64_t rows) {
  DraftState s;
  for (int64_t p = 0; p < pictures; ++p) {
    const int64_t begin = 3 * p;
    const auto forced = [&](int64_t t) { return t % 5 == 4 && t < tokens ? 1000 + t : -1; };
    const auto code = [&](int64_t w) {
      return forced(begin + w) >= 0 ? forced(begin + w) : 100 + w;
    };
    for (int64_t t = 0; t < tokens; ++t) s.forced.push_back(static_cast<double>(forced(t)));
    for (int64_t w = 0; w < width; ++w) {
      const bool idle = begin + w >= tokens;
      const int64_t input = w == 0 ? 7 : w <= p % width ? code(w - 1) : 5;
      for (int64_t row = 0; row < rows; ++row) {
        s.inputs.push_back(static_cast<double>(input));
        // One code of picture 4 could not be sampled.
        s.ids.push_back(p == 4 && w == 1 ? -1.0 : static_cast<double>(100 + w));
        s.position.push_back(idle ? -1.0 : static_cast<double>(40 + begin + w));
      }
      s.step.push_back(static_cast<double>(begin + w));
    }
    s.pass.push_back(static_cast<double>(p));
  }
  s.ring.assign(pictures * slots * (1 + width), -5.0);
  return s;
}

// What accept_drafts() makes of picture p of a state, in plain words: accept, then shift.
void accept_draft_window(DraftState& s, int64_t p, int64_t width, int64_t tokens, int64_t slots,
                         int64_t rows) {
  const int64_t first = p * width, begin = static_cast<int64_t>(s.step[first]);
  const int64_t live = std::clamp<int64_t>(tokens - begin, 0, width);
  std::vector<double> codes;
  for (int64_t w = 0; w < live; ++w) {
    const double forced = s.forced[p * tokens + begin + w];
    codes.push_back(forced >= 0 ? forced : s.ids[rows * (first + w)]);
  }
  const int64_t slot = (p * slots + static_cast<int64_t>(s.pass[p]) % slots) * (1 + width);
  s.pass[p] += 1;
  s.ring[slot] = 0;
  if (live == 0) return;
  int64_t accepted = 1;
  while (accepted < live && codes[accepted - 1] >= 0 &&
         s.inputs[rows * (first + accepted)] == codes[accepted - 1]) {
    ++accepted;
  }
  s.ring[slot] = static_cast<double>(accepted);
  for (int64_t w = 0; w < accepted; ++w) s.ring[slot + 1 + w] = codes[w];
  const double position = s.position[rows * first];
  double left = 0;
  for (int64_t w = 0; w < width; ++w) {
    const int64_t from = accepted - 1 + w, token = begin + from;
    double known = -1;
    if (from < live) {
      known = codes[from];
    } else if (token < tokens) {
      known = s.forced[p * tokens + token];
    }
    left = known >= 0 ? known : left;
    for (int64_t row = rows * (first + w); row < rows * (first + w + 1); ++row) {
      s.inputs[row] = left;
      s.position[row] = token + 1 < tokens ? position + static_cast<double>(from + 1) : -1.0;
    }
    s.step[first + w] = static_cast<double>(token + 1);
  }
}

OpCase accept_drafts_case(int64_t pictures, int64_t width, int64_t tokens, int64_t rows = 2) {
  constexpr int64_t kSlots = 2;
  const DraftState before = draft_state(pictures, width, tokens, kSlots, rows);
  const int64_t columns = pictures * width;
  return {
      .name = fmt::format("accept_drafts_{}x{}_of_{}{}", pictures, width, tokens,
                          rows == 2 ? "" : "_three_rows"),
      .op = Op::kAcceptDrafts,
      .prepare =
          [=](Backend& b, Operands& w) {
            w.in.emplace_back(b, DType::kI32, std::vector{rows * columns}, before.ids);
            w.in.emplace_back(b, DType::kI32, std::vector{pictures, tokens}, before.forced, kGap);
            for (const Values& values : {before.inputs, before.position}) {
              w.out.emplace_back(b, DType::kI32, std::vector{rows * columns}, values);
            }
            w.out.emplace_back(b, DType::kI32, std::vector{columns}, before.step);
            w.out.emplace_back(b, DType::kI32, std::vector{pictures}, before.pass);
            w.out.emplace_back(b, DType::kI32, std::vector{pictures, kSlots * (1 + width)},
                               before.ring, kGap);
          },
      .run =
          [](Backend& b, Operands& w) {
            b.accept_drafts({.inputs = w.out[0].tensor(),
                             .forced = w.in[1].tensor(),
                             .step = w.out[2].tensor(),
                             .position = w.out[1].tensor(),
                             .ring = w.out[4].tensor(),
                             .pass = w.out[3].tensor()},
                            w.in[0].tensor());
          },
      .expect =
          [=] {
            DraftState after = before;
            for (int64_t p = 0; p < pictures; ++p) {
              accept_draft_window(after, p, width, tokens, kSlots, rows);
            }
            Values all;
            for (const Values* part :
                 {&after.inputs, &after.position, &after.step, &after.pass, &after.ring}) {
              all.insert(all.end(), part->begin(), part->end());
            }
            return all;
          },
      .tolerance = {},
      .bytes = 4 * (5 * rows + 3) * columns,
      .flops = 0};
}

}  // namespace

std::vector<OpCase> sampling_cases() {
  std::vector<OpCase> cases{damaged_case(8),    damaged_case(5000), extreme_case(7),
                            extreme_case(5000), thought_case(700),  thought_case(5000),
                            tied_case()};
  for (int64_t pictures : {1, 3, 64}) cases.push_back(force_ids_case(pictures, 5));
  cases.push_back(force_ids_case(17, 576));
  cases.push_back(force_ids_case(7, 5, 3));
  cases.push_back(record_ids_case(7, 8, 3));
  for (int64_t pictures : {1, 3, 64, 300}) cases.push_back(record_ids_case(pictures, 8));
  for (const auto& [pictures, width] :
       {std::pair{1, 1}, {1, 2}, {6, 3}, {9, 8}, {40, 31}, {7, 64}}) {
    cases.push_back(accept_drafts_case(pictures, width, 25));
    cases.push_back(accept_drafts_case(pictures, width, 576));
    cases.push_back(accept_drafts_case(pictures, width, 25, 3));
  }
  const std::vector<SampleSettings> draws = all_draws();
  const int64_t pictures = static_cast<int64_t>(draws.size());
  for (int64_t codes : {1, 3, 4, 5, 1009, 16384}) {
    cases.push_back(sample_case(std::to_string(codes), logits(32, pictures * codes), draws));
    cases.push_back(
        sample_case(fmt::format("three_rows_{}", codes), logits(34, pictures * codes), draws, 3));
  }
  for (int64_t codes : {64, 2047, 2048, 2049, 5000}) {
    const Values guided = coarse_logits(33, pictures * codes);
    cases.push_back(sample_case(fmt::format("coarse_{}", codes), guided, draws));
  }
  return cases;
}

}  // namespace bifrons::testing
