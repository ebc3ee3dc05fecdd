// No benchmark in this build.
#include "tools/bifrons/bench.h"

namespace bifrons {

void add_bench_command(CLI::App&, std::function<int()>&) {}

}  // namespace bifrons
