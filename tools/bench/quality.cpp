// Compares settings over the same pictures, and writes the result as a table or as JSON.
#include "tools/bench/quality.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "src/io/fnv1a.h"
#include "src/io/quote.h"
#include "tools/bench/batch.h"

namespace bifrons {
namespace {

std::vector<DrawRequest> requests_of(const QualityBenchOptions& options) {
  BatchBenchOptions batch;
  batch.prompts = options.prompts;
  batch.pictures = options.pictures;
  const JobSource jobs = bench_jobs(batch);
  std::vector<DrawRequest> requests;
  while (const auto job = jobs()) {
    requests.push_back(job->request);
    requests.back().seed += options.seed;
    requests.back().guidance = options.guidance;
  }
  return requests;
}

uint64_t hash_of(const std::vector<ReferencePicture>& pictures) {
  uint64_t hash = kFnv1aStart;
  for (const ReferencePicture& picture : pictures) {
    for (const int32_t code : picture.codes) hash = fnv1a_step(hash, static_cast<uint32_t>(code));
  }
  return hash;
}

double share_of_equal(const QualityReport& quality) {
  return static_cast<double>(quality.equal_pictures) / static_cast<double>(quality.pictures);
}

}  // namespace

QualityBenchReport measure_quality(const QualityBenchOptions& options,
                                   const std::function<void(const std::string&)>& report_progress) {
  QualityBenchReport report{
      .pictures = options.pictures, .seed = options.seed, .guidance = options.guidance};
  report_progress(fmt::format("drawing {} pictures", options.pictures));
  std::vector<ReferencePicture> pictures;
  {
    // This engine takes memory for as many pictures at once as fit. So it makes room for two
    // models, which need none of it.
    Engine engine = Engine::open(options.reference);
    report.device = engine.device();
    report.model = engine.model().directory;
    report.weights_dtype = engine.model().weights_dtype;
    report.image_tokens = engine.model().image_tokens;
    pictures = draw_references(engine, requests_of(options));
  }
  report.hash = hash_of(pictures);
  Engine reference = Engine::open(options.reference);
  for (const ComparedSetting& setting : options.compared) {
    report_progress(fmt::format("comparing {}", setting.name));
    Engine compared = Engine::open(setting.engine);
    report.rows.push_back({setting.name, compare_quality(reference, compared, pictures)});
  }
  return report;
}

std::string table_of(const QualityBenchReport& report) {
  std::string out =
      fmt::format("{}\n{} ({}): {} pictures of {} codes, guidance {}, codes {:016x}\n\n",
                  report.device, report.model, report.weights_dtype, report.pictures,
                  report.image_tokens, report.guidance, report.hash);
  size_t width = 8;
  for (const QualityBenchRow& row : report.rows) width = std::max(width, row.name.size());
  out += fmt::format("{:<{}} {:>10} {:>10} {:>10} {:>10} {:>10} {:>11} {:>9} {:>7} {:>8} {:>8}\n",
                     "against", width, "mean KL", "+-", "median KL", "99 % KL", "largest",
                     "same top %", "changed %", "+-", "equal %", "first");
  for (const QualityBenchRow& row : report.rows) {
    const QualityReport& q = row.quality;
    out += fmt::format(
        "{:<{}} {:>10.6f} {:>10.6f} {:>10.6f} {:>10.6f} {:>10.6f} {:>11.2f} {:>9.3f} {:>7.3f} "
        "{:>8.1f} {:>8}\n",
        row.name, width, q.mean_kl, q.mean_kl_error, q.median_kl, q.percentile_99_kl, q.largest_kl,
        100 * q.same_top, 100 * q.share_changed(), 100 * q.changed_error, 100 * share_of_equal(q),
        q.mean_first_changed < 0 ? "-" : fmt::format("{:.1f}", q.mean_first_changed));
  }
  return out +
         "\nKL: of the guided distribution of a code, in nats. same top: codes whose most probable "
         "value is the same.\nchanged: draws that the same noise decides otherwise. equal: "
         "pictures "
         "without such a draw. first: codes\nbefore the first such draw, mean of the other "
         "pictures. +-: standard errors.\n";
}

std::string json_of(const QualityBenchReport& report) {
  nlohmann::ordered_json out{{"schema", 1},
                             {"version", build_info().version},
                             {"device", report.device},
                             {"model", report.model},
                             {"weights_dtype", report.weights_dtype},
                             {"image_tokens", report.image_tokens},
                             {"pictures", report.pictures},
                             {"seed", report.seed},
                             {"guidance", report.guidance},
                             {"codes", fmt::format("{:016x}", report.hash)}};
  out["rows"] = nlohmann::ordered_json::array();
  for (const QualityBenchRow& row : report.rows) {
    const QualityReport& q = row.quality;
    nlohmann::ordered_json line{{"against", row.name},
                                {"draws", q.draws},
                                {"mean_kl", q.mean_kl},
                                {"mean_kl_error", q.mean_kl_error},
                                {"median_kl", q.median_kl},
                                {"percentile_99_kl", q.percentile_99_kl},
                                {"largest_kl", q.largest_kl},
                                {"same_top", q.same_top},
                                {"changed_draws", q.changed},
                                {"changed", q.share_changed()},
                                {"changed_error", q.changed_error},
                                {"equal_pictures", q.equal_pictures},
                                {"mean_first_changed", nullptr}};
    if (q.mean_first_changed >= 0) line["mean_first_changed"] = q.mean_first_changed;
    out["rows"].push_back(line);
  }
  return plain_json(out.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace)) +
         "\n";
}

}  // namespace bifrons
