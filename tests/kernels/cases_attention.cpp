// Cases of RoPE, of attention over the paged KV cache, and of attention without a cache.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "tests/kernels/op_case.h"
#include "tests/support/paged.h"

namespace bifrons::testing {
namespace {

using reference::Heads;
using reference::through_int8;

// Rows of a step: the same sequence at several positions (a prompt) and other sequences (a batch).
struct Rows {
  Values sequence;
  Values position;
  int64_t count() const { return static_cast<int64_t>(sequence.size()); }
};

std::string name_of(const Heads& heads, const Rows& rows) {
  return fmt::format("{}_from_{}_of_{}_heads_{}_over_{}_size_{}", rows.count(), rows.position[0],
                     heads.capacity, heads.heads, heads.kv_heads, heads.size);
}

// The page table of a cache for these rows.
Values table_for(const Heads& heads, const Rows& rows) {
  Values last(heads.sequences, -1.0);
  for (int64_t m = 0; m < rows.count(); ++m) {
    double& mine = last[static_cast<size_t>(rows.sequence[m])];
    mine = std::max(mine, rows.position[m]);
  }
  return Paging(heads).table(last);
}

int64_t cache_count(const Heads& heads) {
  return heads.sequences * heads.kv_heads * heads.capacity * heads.size;
}

// Keys or values: numbers up to the furthest position that a sequence's rows read; NaN after it and
// in unused sequences.
Values cache_values(uint32_t seed, const Heads& heads, const Rows& rows, DType dtype) {
  Values values = spread(seed, cache_count(heads), dtype);
  for (int64_t i = 0; i < cache_count(heads); ++i) {
    const int64_t position = i / heads.size % heads.capacity;
    const int64_t sequence = i / (heads.size * heads.capacity * heads.kv_heads);
    bool seen = false;
    for (int64_t m = 0; m < rows.count(); ++m) {
      seen |= rows.sequence[m] == static_cast<double>(sequence) &&
              static_cast<double>(position) <= rows.position[m];
    }
    if (!seen) values[i] = NAN;
  }
  return values;
}

// The name of a cache's format in names of cases.
const char* format_name(bool int8) { return int8 ? "_int8_cache" : ""; }

int64_t position_bytes(DType dtype, const Heads& heads, bool int8) {
  return heads.kv_heads * (int8 ? heads.size + kScaleBytes : heads.size * size_of(dtype));
}

// The tolerance is that of a stored cache, because the oracle reads the same codes.
OpCase attention_case(DType dtype, const Heads& heads, const Rows& rows, bool int8 = false) {
  const int64_t cols = heads.heads * heads.size, m = rows.count();
  const auto q = [=] {
    Values values = spread(21, m * cols, dtype);
    for (double& v : values) v *= 4.0;  // so that the softmax is not flat
    return values;
  };
  const auto k = [=] { return cache_values(22, heads, rows, dtype); };
  const auto v = [=] { return cache_values(23, heads, rows, dtype); };
  const auto read = [=](const Values& all) { return int8 ? through_int8(all, heads.size) : all; };
  int64_t positions = 0;
  for (double p : rows.position) positions += static_cast<int64_t>(p) + 1;
  const int64_t size = size_of(dtype);
  return {.name = fmt::format("attention_{}{}_{}", bifrons::name_of(dtype), format_name(int8),
                              name_of(heads, rows)),
          .op = Op::kAttention,
          .prepare =
              [=](Backend& b, Operands& w) {
                w.in.emplace_back(b, dtype, std::vector{m, cols}, q(), kGap);
                const Paging paging(heads);
                for (const Values& all : {k(), v()}) {
                  w.in.emplace_back(b, int8 ? kInt8Cache : dtype, paging.shape(int8),
                                    int8 ? paging.paged_int8(all, 255) : paging.paged(all));
                }
                w.in.emplace_back(b, DType::kI32, paging.table_shape(), table_for(heads, rows));
                w.in.emplace_back(b, DType::kI32, std::vector{m}, rows.sequence);
                w.in.emplace_back(b, DType::kI32, std::vector{m}, rows.position);
                w.out.emplace_back(b, dtype, std::vector{m, cols}, Values{}, kGap);
              },
          .run =
              [](Backend& b, Operands& w) {
                b.attention(w.out[0].tensor(), w.in[0].tensor(),
                            {w.in[1].tensor(), w.in[2].tensor(), w.in[3].tensor()},
                            {w.in[4].tensor(), w.in[5].tensor()});
              },
          .expect =
              [=] {
                return reference::attention(q(), read(k()), read(v()), rows.sequence, rows.position,
                                            heads);
              },
          .tolerance = {half_step(dtype), 2e-5},
          .bytes = 2 * positions * position_bytes(dtype, heads, int8) + 2 * m * cols * size,
          .flops = 4 * positions * cols};
}

OpCase rope_case(DType dtype, const Heads& heads, const Rows& rows, bool int8 = false) {
  const int64_t m = rows.count(), half = heads.size / 2;
  const int64_t cols = heads.heads * heads.size;
  const int64_t all = (heads.heads + 2 * heads.kv_heads) * heads.size;
  const int64_t positions = Paging(heads).table_shape()[1] * kPageTokens;
  const auto qkv = [=] { return spread(24, m * all, dtype); };
  const auto turn = [=](bool sine) {
    Values table;
    for (int64_t i = 0; i < positions * half; ++i) {
      const double angle =
          static_cast<double>(i / half) * std::pow(10000.0, -static_cast<double>(i % half) / half);
      table.push_back(reference::rounded(sine ? std::sin(angle) : std::cos(angle), dtype));
    }
    return table;
  };
  const auto prepare = [=](Backend& b, Operands& w) {
    w.in.emplace_back(b, dtype, std::vector{m, all}, qkv(), kGap);
    w.in.emplace_back(b, DType::kF32, std::vector{positions, half}, turn(false), kGap);
    w.in.emplace_back(b, DType::kF32, std::vector{positions, half}, turn(true), kGap);
    w.in.emplace_back(b, DType::kI32, std::vector{m}, rows.sequence);
    w.in.emplace_back(b, DType::kI32, std::vector{m}, rows.position);
    w.out.emplace_back(b, dtype, std::vector{m, cols}, Values{}, kGap);
    const Paging paging(heads);
    w.in.emplace_back(b, DType::kI32, paging.table_shape(), table_for(heads, rows));
    for (int i = 0; i < 2; ++i) {
      w.out.emplace_back(b, int8 ? kInt8Cache : dtype, paging.shape(int8));
    }
  };
  const auto expect = [=] {
    Values k(cache_count(heads), NAN), v = k;
    Values result = reference::rope_append(k, v, qkv(), turn(false), turn(true), rows.sequence,
                                           rows.position, heads, dtype);
    for (Values* elements : {&k, &v}) {
      if (int8) {  // the codes are those of the rounded elements
        for (double& x : *elements) x = reference::rounded(x, dtype);
      }
      const Values poison = decode(encode({NAN}, kInt8Cache), kInt8Cache);
      const Values cache =
          int8 ? Paging(heads).paged_int8(*elements, poison[0]) : Paging(heads).paged(*elements);
      result.insert(result.end(), cache.begin(), cache.end());
    }
    return result;
  };
  return {.name = fmt::format("rope_append_{}{}_{}", bifrons::name_of(dtype), format_name(int8),
                              name_of(heads, rows)),
          .op = Op::kRopeAppend,
          .prepare = prepare,
          .run =
              [](Backend& b, Operands& w) {
                b.rope_append(w.out[0].tensor(),
                              {w.out[1].tensor(), w.out[2].tensor(), w.in[5].tensor()},
                              w.in[0].tensor(), {w.in[1].tensor(), w.in[2].tensor()},
                              {w.in[3].tensor(), w.in[4].tensor()});
              },
          .expect = expect,
          // A product may round to the other side of a tie if the device rounds it to f32 first.
          .tolerance = {half_step(dtype), dtype == DType::kF32 ? 0x1p-23 : 0x1p-20},
          .bytes = m * (all + cols) * size_of(dtype) + 2 * m * position_bytes(dtype, heads, int8),
          .flops = 3 * m * (heads.heads + heads.kv_heads) * heads.size};
}

OpCase full_attention_case(DType dtype, int64_t n, int64_t channels, int64_t heads = 1) {
  const auto q = [=] {
    Values values = spread(25, n * channels, dtype);
    for (double& v : values) v *= 4.0;
    return values;
  };
  const auto k = [=] { return spread(26, n * channels, dtype); };
  const auto v = [=] { return spread(27, n * channels, dtype); };
  // A score that rounds to the other side of a tie moves its probability by one rounding step of
  // the score.
  const double step = 2 * half_step(dtype);
  return {
      .name =
          fmt::format("full_attention_{}_{}x{}_{}", bifrons::name_of(dtype), n, channels, heads),
      .op = Op::kFullAttention,
      .prepare =
          [=](Backend& b, Operands& w) {
            w.in.emplace_back(b, dtype, std::vector{n, channels}, q(), kGap);
            w.in.emplace_back(b, dtype, std::vector{n, channels}, k(), 2 * kGap);
            w.in.emplace_back(b, dtype, std::vector{n, channels}, v(), 3 * kGap);
            w.out.emplace_back(b, dtype, std::vector{n, channels}, Values{}, kGap);
          },
      .run =
          [=](Backend& b, Operands& w) {
            b.full_attention(w.out[0].tensor(), w.in[0].tensor(), w.in[1].tensor(),
                             w.in[2].tensor(), heads);
          },
      .expect = [=] { return reference::full_attention(q(), k(), v(), channels, heads, dtype); },
      .tolerance = {half_step(dtype), 1e-5 + step / 4},
      .bytes = 4 * n * channels * size_of(dtype),
      .flops = 4 * n * n * channels};
}

}  // namespace

std::vector<OpCase> attention_cases() {
  const Rows one{{1}, {0}};
  const Rows batch{{2, 0, 4, 0, 1}, {127, 128, 0, 129, 60}};
  const Rows prompt{{1, 1, 1, 1, 3}, {3, 4, 5, 6, 255}};
  const Rows pair{{0, 1}, {639, 639}};
  std::vector<OpCase> cases;
  for (DType dtype : kActivations) {
    for (const bool int8 : {false, true}) {
      for (const Heads& heads :
           {Heads{2, 1, 1, 1, 2}, Heads{2, 6, 2, 3, 10}, Heads{2, 4, 4, 9, 64}}) {
        cases.push_back(attention_case(dtype, heads, one, int8));
        cases.push_back(rope_case(dtype, heads, one, int8));
      }
      for (const Heads& heads : {Heads{5, 3, 1, 257, 34}, Heads{5, 4, 2, 256, 128}}) {
        cases.push_back(attention_case(dtype, heads, batch, int8));
        cases.push_back(attention_case(dtype, heads, prompt, int8));
        cases.push_back(rope_case(dtype, heads, batch, int8));
        cases.push_back(rope_case(dtype, heads, prompt, int8));
      }
      cases.push_back(attention_case(dtype, {2, 16, 16, 640, 128}, pair, int8));
    }
    for (int64_t n : {1, 7, 31, 33}) {
      for (int64_t channels : {1, 8, 31, 33, 64}) {
        cases.push_back(full_attention_case(dtype, n, channels));
      }
    }
    cases.push_back(full_attention_case(dtype, 131, 40));  // more than one block of queries
    cases.push_back(full_attention_case(dtype, 576, 512));
    cases.push_back(full_attention_case(dtype, 7, 24, 3));
    cases.push_back(full_attention_case(dtype, 64, 192, 3));
    cases.push_back(full_attention_case(dtype, 131, 144, 2));
    cases.push_back(full_attention_case(dtype, 576, 128, 2));
  }
  return cases;
}

}  // namespace bifrons::testing
