// What the arguments of `bifrons batch` mean to the library.
#pragma once

#include <string>
#include <vector>

#include "src/batch/picture_job.h"
#include "tools/bifrons/batch.h"

namespace bifrons::cli {

// Without the functions, which need a directory or an engine.
JobOptions job_options(const BatchArguments& arguments);

// The names in --devices. Throws Error (usage): one of them is empty.
std::vector<std::string> device_list(const std::string& text);

// Threads of each engine: the cores are shared out unless --threads says otherwise.
int threads_each(const BatchArguments& arguments, size_t devices);

}  // namespace bifrons::cli
