// `bifrons bench quality`, a command below `bench`.
#pragma once

#include "tools/bifrons/options.h"

namespace bifrons::cli {

void add_bench_quality(CLI::App& bench, Chosen& chosen);

}  // namespace bifrons::cli
