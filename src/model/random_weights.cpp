// Normally distributed weights in a model's true shape, for measuring speed and memory. The first
// 32 million values are all different; larger models repeat a slab of as many, because making seven
// billion values takes longer than what is measured.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <memory>

#include "src/model/model.h"
#include "src/model/understanding_model.h"

namespace bifrons {
namespace {

constexpr int64_t kSlab = 32 << 20;  // values
constexpr float kDeviation = 0.02f;

// Fills weights with pseudo-random values, N(0, 0.02) like a newly initialised Llama; norms are
// one.
class RandomWeights : public WeightVisitor {
 public:
  RandomWeights(Backend& backend, DType dtype, uint64_t seed,
                LinearFormat format = LinearFormat::kStored)
      : backend_(backend), dtype_(dtype), format_(format), state_(seed) {
    check(dtype == DType::kBf16 || dtype == DType::kF32, "random weights: bf16 or f32");
  }

  using WeightVisitor::linear;
  void linear(Linear& weight, std::span<const LinearPart> parts, int64_t in, bool bias, LinearForm,
              FewestBits fewest) override {
    int64_t out = 0;
    for (const LinearPart& part : parts) out += part.out;
    const std::vector<HostArray> rows = matrix(out, in);
    const HostArray shift = fill(bias_, 1, bias ? out : 0, kDeviation);
    std::vector<HostArray> shifts;
    int64_t first = 0;
    for (const HostArray& part : rows) {
      if (!bias) break;
      shifts.push_back({shift.data + first * size_of(dtype_), dtype_, 1, part.rows});
      first += part.rows;
    }
    const LinearFormat format = format_for(format_, fewest);
    weight = format == LinearFormat::kStored ? backend_.make_linear(rows, shifts)
                                             : quantised(rows, format, shifts);
  }
  void convolution(Convolution& weight, const std::string&, int64_t out, int64_t in, int64_t kernel,
                   Padding padding) override {
    const int64_t fan_in = in * kernel * kernel;
    const HostArray matrix = fill(values_, out, fan_in, 1.0f / std::sqrt(1.0f * fan_in));
    weight = backend_.make_convolution(matrix, fill(bias_, 1, out, 0.02f), kernel, padding);
  }
  void norm(Norm& weight, const std::string&, int64_t size, bool bias) override {
    const std::vector<float> ones(size, 1.0f), zeros(size, 0.0f);
    const HostArray scale{reinterpret_cast<const std::byte*>(ones.data()), DType::kF32, 1, size};
    const HostArray shift{reinterpret_cast<const std::byte*>(zeros.data()), DType::kF32, 1, size};
    weight = backend_.make_norm(scale, bias ? &shift : nullptr);
  }
  void table(Table& weight, const std::string&, int64_t rows, int64_t cols,
             TableRows form) override {
    // Rows have unit length in expectation, which is enough for a codebook that is only timed.
    if (form == TableRows::kUnitLength) {
      weight = backend_.make_table(fill(values_, rows, cols, 1.0f / std::sqrt(1.0f * cols)));
      return;
    }
    const std::vector<HostArray> all = matrix(rows, cols);
    if (all.size() == 1) {
      weight = backend_.make_table(all[0]);
      return;
    }
    const int64_t row_bytes = cols * size_of(dtype_);  // a table is one array
    const auto whole = std::make_unique_for_overwrite<std::byte[]>(rows * row_bytes);
    std::byte* to = whole.get();
    for (const HostArray& part : all) {
      std::memcpy(to, part.data, part.rows * row_bytes);
      to += part.rows * row_bytes;
    }
    weight = backend_.make_table({whole.get(), dtype_, rows, cols});
  }

  void positions(Table& weight, const std::string& name, int64_t rows, int64_t cols) override {
    table(weight, name, rows, cols, TableRows::kAsStored);
  }

 private:
  Linear quantised(const std::vector<HostArray>& rows, LinearFormat format,
                   const std::vector<HostArray>& shifts) {
    if (!quantiser_) quantiser_ = std::make_unique<Quantiser>();
    std::vector<std::vector<std::byte>> bytes;
    std::vector<QuantisedArray> parts;
    for (const HostArray& part : rows) {
      const int64_t values = part.rows * value_bytes(format, part.cols);
      auto& room = bytes.emplace_back(values + part.rows * scale_bytes(format, part.cols));
      quantiser_->quantise(part, format, std::span(room).first(values),
                           std::span(room).subspan(values));
      parts.push_back({room.data(), room.data() + values, format, part.rows, part.cols});
    }
    return backend_.make_quantised_linear(parts, shifts);
  }
  // Sum of four uniform 16-bit words: close to normal, and fast enough for billions of them.
  float next() {
    state_ += 0x9e3779b97f4a7c15ull;
    uint64_t z = state_;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
    z ^= z >> 31;
    const auto word = [z](int i) { return static_cast<float>((z >> (16 * i)) & 0xffff); };
    return (word(0) + word(1) + word(2) + word(3) - 2.0f * 65535.0f) * (1.7320508f / 65535.0f);
  }
  // A matrix as one array, or as parts that lie in the slab. Each begins elsewhere, so that no two
  // are equal. Valid until the next call.
  std::vector<HostArray> matrix(int64_t rows, int64_t cols) {
    if (made_ + rows * cols <= kSlab) return {fill(values_, rows, cols, kDeviation)};
    constexpr int64_t kUnit = 64;  // values
    const int64_t piece = std::min(rows, std::max<int64_t>(kSlab / 4 / cols, 1));
    const int64_t size = std::max(kSlab, 2 * cols);
    if (slab_.empty()) fill(slab_, 1, size, kDeviation);
    const int64_t places =
        (static_cast<int64_t>(slab_.size()) / size_of(dtype_) - piece * cols) / kUnit;
    check(places > 0, "random weights: rows are too long");
    std::vector<HostArray> parts;
    for (int64_t first = 0; first < rows; first += piece) {
      state_ += 0x9e3779b97f4a7c15ull;
      const int64_t place = static_cast<int64_t>((state_ >> 20) % static_cast<uint64_t>(places));
      parts.push_back({slab_.data() + place * kUnit * size_of(dtype_), dtype_,
                       std::min(piece, rows - first), cols});
    }
    return parts;
  }
  HostArray fill(std::vector<std::byte>& bytes, int64_t rows, int64_t cols, float scale) {
    const int64_t n = rows * cols, element = size_of(dtype_);
    bytes.resize(n * element);
    made_ += n;
    for (int64_t i = 0; i < n; ++i) {
      const float x = next() * scale;
      const Bf16 half = to_bf16(x);
      std::memcpy(bytes.data() + i * element,
                  dtype_ == DType::kBf16 ? static_cast<const void*>(&half) : &x, element);
    }
    return {bytes.data(), dtype_, rows, cols};
  }

  Backend& backend_;
  DType dtype_;
  LinearFormat format_;
  std::unique_ptr<Quantiser> quantiser_;
  uint64_t state_;
  int64_t made_ = 0;  // values so far, all different
  std::vector<std::byte> values_, bias_, slab_;
};

}  // namespace

std::unique_ptr<Model> random_model(Backend& backend, const Config& config, DType dtype,
                                    uint64_t seed) {
  auto model = std::make_unique<Model>(config, activation_for(dtype));
  RandomWeights weights(backend, dtype, seed, config.loaded);
  model->visit_weights(weights);
  if (ImageHead::precomputes_inputs(config, backend.memory_space()))
    model->image_head.precompute_inputs(backend);
  model->decoder.allocate(backend);
  return model;
}

std::unique_ptr<ImageHead> random_image_head(Backend& backend, const Config& config, DType dtype,
                                             uint64_t seed) {
  auto module = std::make_unique<ImageHead>(config, activation_for(dtype));
  RandomWeights weights(backend, dtype, seed);
  visit(module->weights(), config, weights);
  return module;
}

std::unique_ptr<UnderstandingModel> random_understanding(Backend& backend, const Config& config,
                                                         DType dtype, uint64_t seed) {
  auto module = std::make_unique<UnderstandingModel>(config, activation_for(dtype));
  RandomWeights weights(backend, dtype, seed, config.loaded);
  module->visit_weights(weights);
  module->allocate(backend);
  return module;
}

}  // namespace bifrons
