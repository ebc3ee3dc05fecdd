// How the readers of prompt files, templates and names refuse.
#pragma once

#include <string>

#include "kernels/error.h"

namespace bifrons {

// Throws Error (data) with `sentence`.
[[noreturn]] inline void refuse_as_data(const std::string& sentence) {
  throw Error(ErrorKind::kData, sentence);
}

}  // namespace bifrons
