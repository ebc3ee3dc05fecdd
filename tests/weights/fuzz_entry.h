// Body of all fuzz entries: the reader accepts the bytes or throws Error.
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
  } catch (const Error&) {  // the only exception that a file may cause
  }
  return 0;
}

}  // namespace bifrons::testing
