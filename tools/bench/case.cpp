// Runs work repeatedly, as a whole and op by op.
#include "tools/bench/case.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace bifrons {

void Bench::attempt(const std::string& name, const std::function<void()>& part) {
  if (late()) {
    report.skipped.push_back(fmt::format("{}: no time left", name));
    return;
  }
  try {
    part();
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::kUnavailable) throw;
    report.skipped.push_back(fmt::format("{}: {}", name, error.what()));
  }
}

BenchRow row_of(const std::string& name, const std::vector<double>& seconds,
                const Meter::Count& work, double bandwidth) {
  BenchRow row;
  row.name = name;
  row.milliseconds = 1e3 * median(seconds);
  row.fastest_milliseconds = 1e3 * *std::min_element(seconds.begin(), seconds.end());
  row.bytes = work.bytes;
  row.flops = work.flops;
  row.bandwidth = bandwidth;
  return row;
}

Case::Case(Backend& b, std::string name, std::function<void(Backend&)> run, bool captures)
    : b_(b), name_(std::move(name)), run_(std::move(run)) {
  run_(b_);
  if (captures) captured_ = b_.capture([this] { run_(b_); });
  while (captured_ && !captured_->settled()) time();
  b_.meter().reset();
  time();
  work_ = b_.meter().total();
}

double Case::time() {
  return seconds_of([this] {
    captured_ ? captured_->run() : run_(b_);
    b_.synchronize();
  });
}

Profile Case::profile() const {
  Profile profile;
  struct Timing {
    Backend& b;
    Timing(Backend& backend, OpTimes& times) : b(backend) { b.time_ops(&times); }
    ~Timing() { b.time_ops(nullptr); }
  } timing(b_, profile.times);
  b_.meter().reset();
  run_(b_);
  profile.counted = b_.meter();
  return profile;
}

void add_ops(Bench& bench, const Case& c, double bandwidth) {
  struct Part {
    Op op;
    std::vector<double> seconds;
  };
  std::vector<Part> parts;
  for (size_t v = 0; v < static_cast<size_t>(Op::kCount); ++v) {
    parts.push_back({static_cast<Op>(v), {}});
  }
  Meter counted;
  for (int i = 0; i < bench.options.repeats; ++i) {
    const Profile profile = c.profile();
    counted = profile.counted;
    for (Part& part : parts) part.seconds.push_back(profile.times.of(part.op));
  }
  std::erase_if(parts, [&](const Part& p) { return counted.of(p.op).calls == 0; });
  std::sort(parts.begin(), parts.end(),
            [](const Part& x, const Part& y) { return median(x.seconds) > median(y.seconds); });
  for (const Part& part : parts) {
    bench.report.rows.push_back(row_of(fmt::format("  {}", name_of(part.op)), part.seconds,
                                       counted.of(part.op), bandwidth));
  }
}

}  // namespace bifrons
