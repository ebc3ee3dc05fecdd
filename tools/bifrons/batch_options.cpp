// Arguments are plain values; what they mean together stands here.
#include "tools/bifrons/batch_options.h"

#include <algorithm>
#include <thread>

#include "src/io/quote.h"

namespace bifrons::cli {

JobOptions job_options(const BatchArguments& arguments) {
  JobOptions options;
  options.defaults = request_of(arguments.settings);
  options.random_seed = arguments.settings.random_seed;
  if (!options.random_seed) options.seed = arguments.settings.seed;
  options.count = arguments.count;
  options.rope = arguments.settings.rope.value_or(RopeMode::kF32);
  options.format = arguments.save_as;
  options.name = arguments.name;
  options.metadata = arguments.metadata;
  options.expand = arguments.expand;
  options.combinatorial = arguments.combinatorial;
  options.wildcards = arguments.wildcards;
  options.best_of = arguments.best_of.value_or(0);
  options.question = arguments.match_question;
  return options;
}

std::vector<std::string> device_list(const std::string& text) {
  std::vector<std::string> devices;
  for (size_t from = 0; from <= text.size();) {
    const size_t comma = std::min(text.find(',', from), text.size());
    devices.push_back(text.substr(from, comma - from));
    if (devices.back().empty()) {
      throw Error(ErrorKind::kUsage,
                  "--devices takes names with commas between, not " + quote(text, 60));
    }
    from = comma + 1;
  }
  return devices;
}

int threads_each(const BatchArguments& arguments, size_t devices) {
  if (arguments.threads != 0 || devices == 1) return arguments.threads;
  return std::max(1, static_cast<int>(std::thread::hardware_concurrency() / devices));
}

}  // namespace bifrons::cli
