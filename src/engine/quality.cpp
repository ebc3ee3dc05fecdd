// Compares two engines over the same pictures: KL divergence and changed draws.
#include "src/engine/quality.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "src/io/quote.h"

namespace bifrons {
namespace {

double log_of_sum(std::span<const float> logits, double highest) {
  double sum = 0;
  for (const float x : logits) sum += std::exp(x - highest);
  return std::log(sum);
}

// The value that `share` of the sorted values do not exceed (nearest rank).
double quantile(const std::vector<double>& sorted, double share) {
  const auto rank = static_cast<size_t>(std::ceil(share * static_cast<double>(sorted.size())));
  return sorted[std::max<size_t>(rank, 1) - 1];
}

// Standard error of the mean of `values`; 0 for one of them.
double standard_error(const std::vector<double>& values) {
  const auto n = static_cast<double>(values.size());
  if (values.size() < 2) return 0;
  const double mean = std::accumulate(values.begin(), values.end(), 0.0) / n;
  double square = 0;
  for (const double value : values) square += (value - mean) * (value - mean);
  return std::sqrt(square / (n * (n - 1)));
}

}  // namespace

double kl_divergence(std::span<const float> reference, std::span<const float> compared) {
  check(reference.size() == compared.size() && !reference.empty(), "kl: logits of one size");
  const double highest = *std::max_element(reference.begin(), reference.end());
  const double highest_compared = *std::max_element(compared.begin(), compared.end());
  const double normaliser = log_of_sum(reference, highest);
  // log p - log q of a code is the difference of its logits, less that of both normalisers: exactly
  // 0 for equal logits.
  const double shift =
      (highest - highest_compared) + (normaliser - log_of_sum(compared, highest_compared));
  double kl = 0;
  for (size_t i = 0; i < reference.size(); ++i) {
    const double p = std::exp(reference[i] - highest - normaliser);
    kl += p * (static_cast<double>(reference[i]) - static_cast<double>(compared[i]) - shift);
  }
  return std::max(kl, 0.0);  // rounding alone makes it negative
}

void QualityMeter::add(const ForcedPicture& reference, const ForcedPicture& compared) {
  check(reference.sampled.size() == compared.sampled.size() &&
            reference.guided.size() == compared.guided.size() && !reference.sampled.empty(),
        "quality: pictures of one size");
  const size_t tokens = reference.sampled.size(), codebook = reference.guided.size() / tokens;
  PictureResult result{.draws = static_cast<int64_t>(tokens)};
  for (size_t t = 0; t < tokens; ++t) {
    const auto p = std::span(reference.guided).subspan(t * codebook, codebook);
    const auto q = std::span(compared.guided).subspan(t * codebook, codebook);
    kl_.push_back(kl_divergence(p, q));
    result.kl += kl_.back();
    const auto top = [](std::span<const float> logits) {
      return std::max_element(logits.begin(), logits.end()) - logits.begin();
    };
    if (top(p) == top(q)) ++same_top_;
    if (reference.sampled[t] == compared.sampled[t]) continue;
    if (result.changed++ == 0) result.first_changed = static_cast<int64_t>(t);
  }
  pictures_.push_back(result);
}

QualityReport QualityMeter::report() const {
  QualityReport report;
  report.pictures = static_cast<int64_t>(pictures_.size());
  report.mean_first_changed = -1;
  if (pictures_.empty()) return report;
  std::vector<double> kl, changed;
  double first = 0, sum = 0;
  for (const PictureResult& picture : pictures_) {
    report.draws += picture.draws;
    report.changed += picture.changed;
    sum += picture.kl;
    if (picture.first_changed < 0) ++report.equal_pictures;
    first += static_cast<double>(std::max<int64_t>(0, picture.first_changed));
    const auto draws = static_cast<double>(picture.draws);
    kl.push_back(picture.kl / draws);
    changed.push_back(static_cast<double>(picture.changed) / draws);
  }
  report.mean_kl = sum / static_cast<double>(report.draws);
  report.mean_kl_error = standard_error(kl);
  report.changed_error = standard_error(changed);
  report.same_top = static_cast<double>(same_top_) / static_cast<double>(report.draws);
  const int64_t others = report.pictures - report.equal_pictures;
  if (others > 0) report.mean_first_changed = first / static_cast<double>(others);
  std::vector<double> sorted = kl_;
  std::sort(sorted.begin(), sorted.end());
  report.median_kl = quantile(sorted, 0.5);
  report.percentile_99_kl = quantile(sorted, 0.99);
  report.largest_kl = sorted.back();
  return report;
}

std::vector<ReferencePicture> draw_references(Engine& engine, std::span<const DrawRequest> requests,
                                              const Progress& progress) {
  std::vector<ReferencePicture> pictures(requests.size());
  size_t next = 0;
  const JobSource source = [&]() -> std::optional<BatchJob> {
    if (next == requests.size()) return {};
    const size_t i = next++;
    return BatchJob{i, requests[i]};
  };
  const ResultSink sink = [&](BatchResult result) {
    if (result.error) throw *result.error;
    pictures[result.id] = {requests[result.id], std::move(result.drawing->tokens)};
  };
  const int64_t total = static_cast<int64_t>(requests.size()) * engine.model().image_tokens;
  BatchOptions options;
  options.progress = [&](const BatchProgress& now) {
    return !progress || progress(std::min(now.tokens, total), total);
  };
  const BatchStats stats = engine.draw_batch(source, sink, options);
  if (stats.stopped) throw Error(ErrorKind::kInterrupted, "interrupted");
  return pictures;
}

QualityReport compare_quality(Engine& reference, Engine& compared,
                              std::span<const ReferencePicture> pictures,
                              const Progress& progress) {
  const ModelInfo &a = reference.model(), &b = compared.model();
  if (a.image_tokens != b.image_tokens || a.codebook != b.codebook) {
    throw Error(
        ErrorKind::kUsage,
        fmt::format("{} and {} cannot be compared: pictures of {} codes out of {} and of {} "
                    "codes out of {}",
                    quote(a.directory), quote(b.directory), a.image_tokens, a.codebook,
                    b.image_tokens, b.codebook));
  }
  TeacherForcing of_reference(reference), of_compared(compared);
  QualityMeter meter;
  int64_t done = 0;
  for (const ReferencePicture& picture : pictures) {
    const ForcedPicture expected = of_reference.run(picture.request, picture.codes);
    if (expected.sampled != picture.codes) {
      throw Error(ErrorKind::kFailed,
                  "the reference samples other codes than it drew: it is not the engine that drew "
                  "them, or this build is at fault");
    }
    meter.add(expected, of_compared.run(picture.request, picture.codes));
    if (progress && !progress(++done, static_cast<int64_t>(pictures.size()))) {
      throw Error(ErrorKind::kInterrupted, "interrupted");
    }
  }
  return meter.report();
}

}  // namespace bifrons
