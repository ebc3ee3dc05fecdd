// `bifrons bench`: its options, and its report as a table or as JSON.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <memory>
#include <nlohmann/json.hpp>

#include "src/bifrons.h"
#include "src/io/quote.h"
#include "tools/bench/batch.h"
#include "tools/bench/durability.h"
#include "tools/bench/measure.h"
#include "tools/bifrons/bench_quality.h"
#include "tools/bifrons/model_place.h"
#include "tools/bifrons/options.h"
#include "tools/bifrons/session.h"
#include "tools/bifrons/streams.h"

namespace bifrons::cli {
namespace {

std::string table_of(const BenchReport& report) {
  std::string out =
      fmt::format("{}\n{}\n{}\n\n", report.device, report.model,
                  report.bandwidth > 0 ? fmt::format("read bandwidth {:.1f} GB/s", report.bandwidth)
                                       : "read bandwidth not measured");
  out += fmt::format("{:<34} {:>10} {:>10} {:>10} {:>8} {:>9} {:>9}\n", "", "median ms", "best ms",
                     "MB", "GB/s", "% of read", "GFLOP/s");
  for (const BenchRow& row : report.rows) {
    out += fmt::format("{:<34} {:>10.2f} {:>10.2f} {:>10.1f} {:>8.1f} {:>9} {:>9.1f}", row.name,
                       row.milliseconds, row.fastest_milliseconds, row.bytes / 1e6,
                       row.gigabytes_per_second(),
                       row.bandwidth > 0 ? fmt::format("{:.1f}", row.percent_of_bandwidth()) : "-",
                       row.gigaflops());
    if (row.ratio > 0) out += fmt::format("   {:.2f} x {}", row.ratio, row.ratio_to);
    if (row.codes_per_second > 0) out += fmt::format("   {:.1f} codes/s", row.codes_per_second);
    if (row.passes > 0) {
      out += fmt::format("   {:.1f} passes, {:.2f} codes a pass", row.passes, row.codes_per_pass);
    }
    if (row.break_even_codes > 0) {
      out += fmt::format("   faster than plain from {:.2f} codes a pass on", row.break_even_codes);
    }
    if (row.same_bits) {
      out += *row.same_bits ? "   bits as alone" : "   other bits than alone: not used";
    }
    out += "\n";
  }
  for (const std::string& line : report.skipped) out += fmt::format("skipped: {}\n", line);
  return out;
}

std::string json_of(const BenchReport& report) {
  nlohmann::ordered_json out{{"schema", 1},
                             {"version", build_info().version},
                             {"device", report.device},
                             {"model", report.model},
                             {"read_gigabytes_per_second", report.bandwidth}};
  out["rows"] = nlohmann::ordered_json::array();
  for (const BenchRow& row : report.rows) {
    nlohmann::ordered_json line{{"name", row.name},
                                {"milliseconds", row.milliseconds},
                                {"fastest_milliseconds", row.fastest_milliseconds},
                                {"bytes", row.bytes},
                                {"flops", row.flops},
                                {"gigabytes_per_second", row.gigabytes_per_second()},
                                {"percent_of_bandwidth", nullptr},
                                {"gigaflops", row.gigaflops()}};
    if (row.bandwidth > 0) line["percent_of_bandwidth"] = row.percent_of_bandwidth();
    if (row.ratio > 0) {
      line["ratio"] = row.ratio;
      line["ratio_to"] = row.ratio_to;
    }
    if (row.codes_per_second > 0) line["codes_per_second"] = row.codes_per_second;
    if (row.passes > 0) {
      line["passes"] = row.passes;
      line["codes_per_pass"] = row.codes_per_pass;
    }
    if (row.break_even_codes > 0) line["break_even_codes"] = row.break_even_codes;
    if (row.same_bits) line["same_bits"] = *row.same_bits;
    out["rows"].push_back(line);
  }
  out["skipped"] = report.skipped;
  return plain_json(out.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace)) +
         "\n";
}

struct Bench {
  BenchOptions options;
  std::vector<std::string> parts;
  int seconds = 0;
  bool whole = false;
  bool json = false;
  bool quiet = false;
  std::optional<KvFormat> kv;

  int run() {
    using Clock = std::chrono::steady_clock;
    if (seconds > 0) options.until = Clock::now() + std::chrono::seconds(seconds);
    if (whole) options.whole = true;
    options.pdl = pdl_from_environment();
    options.kv = kv.value_or(KvFormat::kStored);
    if (!parts.empty()) {
      const auto has = [this](const char* part) {
        return std::find(parts.begin(), parts.end(), part) != parts.end();
      };
      options.decode = has("decode");
      options.draw = has("draw");
      options.prefill = has("prefill");
      options.vq = has("vq");
      options.speculate = has("speculate");
    }
    const BenchReport report = measure(options, [this](const std::string& line) {
      if (!quiet) print_stderr("bifrons: " + line + "\n");
    });
    write_stdout(json ? json_of(report) : table_of(report));
    return 0;
  }
};

struct BenchBatch {
  BatchBenchOptions options;
  std::string model, prompts, durability, decode = "auto";
  std::optional<KvFormat> kv;
  bool json = false;
  bool quiet = false;

  int run() {
    options.engine.model = find_model(model).directory;
    options.engine.pdl = pdl_from_environment();
    options.engine.kv = kv.value_or(KvFormat::kStored);
    if (decode != "auto") options.engine.decode_beside = decode == "beside";
    if (!prompts.empty()) {
      options.prompts = read_prompts(read_file(prompts, kLongestFile), prompts);
    }
    const auto tell = [this](const std::string& line) {
      if (!quiet) print_stderr("bifrons: " + line + "\n");
    };
    std::optional<DurabilityReport> kept;
    if (!durability.empty()) kept = measure_durability(options, durability, tell);
    const BatchBenchReport report = measure_batch(options, tell);
    write_stdout(json ? json_of(report, kept) : table_of(report) + (kept ? table_of(*kept) : ""));
    return 0;
  }
};

void add_bench_batch(CLI::App& bench, Chosen& chosen) {
  auto state = std::make_shared<BenchBatch>();
  BatchBenchOptions& o = state->options;
  CLI::App* batch =
      bench.add_subcommand("batch", "Measure pictures a second, drawn one by one and side by side");
  batch->add_option("-m,--model", state->model, "A model directory instead of the built-in one")
      ->type_name("DIR");
  add_choice<WeightFormat>(*batch, "--weights",
                           {{"stored", WeightFormat::kStored},
                            {"int8", WeightFormat::kInt8},
                            {"int4", WeightFormat::kInt4}},
                           o.engine.weights,
                           "Linear layers as stored, or quantised to int8 or int4");
  batch->add_option("--device", o.engine.device, "cpu[:ISA], cuda[:N] or auto")
      ->type_name("NAME")
      ->capture_default_str();
  batch->add_option("-t,--threads", o.engine.threads, "Threads; 0 takes all cores")
      ->check(CLI::Range(0, 1024));
  add_kv(*batch, state->kv, "stored (default), or int8: a KV cache of half the size");
  o.engine.speculate = 1;
  add_speculate(*batch, o.engine.speculate,
                "Speculative decoding: off (default), auto, or at most N codes of a picture in one "
                "pass");
  batch->add_option("--batch", o.lanes, "Pictures at once, a measurement for each")
      ->delimiter(',')
      ->check(CLI::Range(1, 1024))
      ->capture_default_str();
  batch->add_option("--pictures", o.pictures, "Pictures of each measurement")
      ->check(CLI::Range(1, 1000000))
      ->capture_default_str();
  batch->add_option("--prompts", state->prompts, "A file of prompts, taken in turn, one a line")
      ->type_name("FILE");
  batch->add_option("--repeats", o.repeats, "Runs of each measurement; the median counts")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  batch
      ->add_option("--durability", state->durability,
                   "Measure too what it costs to keep pictures safe from kills, in this directory")
      ->type_name("DIR");
  batch->add_option("--decode", state->decode, "Decode between steps or beside them")
      ->check(CLI::IsMember({"auto", "between", "beside"}))
      ->capture_default_str();
  batch->add_flag("--json", state->json, "One JSON object on stdout");
  batch->add_flag("-q,--quiet", state->quiet, "No messages on stderr");
  batch->callback([state, &chosen] { chosen = [state] { return state->run(); }; });
}

}  // namespace

void add_bench(CLI::App& app, Chosen& chosen) {
  auto state = std::make_shared<Bench>();
  BenchOptions& o = state->options;
  CLI::App* bench = app.add_subcommand(
      "bench", "Measure steps and decodes beside the memory bandwidth of the same process");
  bench->add_option("--shape", o.shape, "Random weights of a published shape")
      ->check(CLI::IsMember({"janus-pro-1b", "janus-pro-7b"}))
      ->capture_default_str();
  bench->add_option("-m,--model", o.model, "A model directory instead of random weights")
      ->type_name("DIR");
  add_choice<WeightFormat>(*bench, "--weights",
                           {{"stored", WeightFormat::kStored},
                            {"int8", WeightFormat::kInt8},
                            {"int4", WeightFormat::kInt4}},
                           o.weights, "Linear layers as stored, or quantised to int8 or int4");
  bench->add_option("--device", o.device, "cpu[:ISA], cuda[:N] or auto")
      ->type_name("NAME")
      ->capture_default_str();
  bench->add_option("-t,--threads", o.threads, "Threads; 0 takes all cores")
      ->check(CLI::Range(0, 1024));
  add_kv(*bench, state->kv, "stored (default), or int8: a KV cache of half the size");
  bench
      ->add_option("--rows", o.rows,
                   "Rows of a decode step, two for each picture; the draw is not part of it")
      ->delimiter(',')
      ->check(CLI::Range(1, 512));
  bench->add_option("--context", o.context, "Tokens that a decode step finds in its cache")
      ->check(CLI::Range(0, 4096))
      ->capture_default_str();
  bench
      ->add_option("--pictures", o.pictures,
                   "Pictures drawn at once, a measurement for each; 1,4,16,64 on a GPU, else 1")
      ->delimiter(',')
      ->check(CLI::Range(1, 256));
  bench->add_flag("--whole", state->whole,
                  "Draw these pictures whole, as on a GPU, rather than some of their steps");
  bench
      ->add_option("--repeats", o.repeats,
                   "Runs of each case; the median counts. Whole pictures are drawn 3 times at most")
      ->check(CLI::Range(1, 10000))
      ->capture_default_str();
  bench
      ->add_option(
          "--seconds", state->seconds,
          "Begin no part of drawing's measurements after so many; 0: take the time it takes")
      ->check(CLI::Range(0, 1000000))
      ->capture_default_str();
  bench
      ->add_option("--only", state->parts,
                   "Measure only these: decode, draw, prefill, vq, speculate")
      ->delimiter(',')
      ->check(CLI::IsMember({"decode", "draw", "prefill", "vq", "speculate"}));
  bench->add_flag("--understand", o.understand,
                  "Measure looking at a picture and speaking instead of drawing");
  bench->add_flag("--ops", o.ops, "Also the share of every op in steps and prefill");
  bench->add_flag("--json", state->json, "One JSON object on stdout");
  bench->add_flag("-q,--quiet", state->quiet, "No messages on stderr");
  bench->callback([state, bench, &chosen] {
    if (bench->get_subcommands().empty()) chosen = [state] { return state->run(); };
  });
  add_bench_batch(*bench, chosen);
  add_bench_quality(*bench, chosen);
}

}  // namespace bifrons::cli
