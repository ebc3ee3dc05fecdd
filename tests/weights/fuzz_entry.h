// What every fuzz entry does with its bytes: the reader takes them or says no with an Error.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "kernels/error.h"

namespace bifrons::testing {

int fuzz(const uint8_t* data, size_t size, const auto& read) {
  std::string bytes(reinterpret_cast<const char*>(data), size);
  try {
    read(std::move(bytes));
  } catch (const Error&) {  // the only exception a file may cause
  }
  return 0;
}

}  // namespace bifrons::testing
