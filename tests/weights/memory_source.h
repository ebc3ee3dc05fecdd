// A file in memory, for tests that read thousands of damaged files.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <utility>

#include "kernels/error.h"
#include "src/io/byte_source.h"

namespace bifrons::testing {

class MemorySource : public ByteSource {
 public:
  explicit MemorySource(std::string bytes) : bytes_(std::move(bytes)) {}

  const std::string& name() const override { return name_; }
  int64_t size() const override { return static_cast<int64_t>(bytes_.size()); }
  void read(int64_t offset, std::span<std::byte> destination) const override {
    // A read outside of the file is a bug of the reader, whatever the file contains.
    check(
        offset >= 0 && offset <= size() && std::cmp_less_equal(destination.size(), size() - offset),
        "memory source: read outside of the file");
    const auto all = std::as_bytes(std::span(bytes_));
    std::copy_n(all.begin() + offset, destination.size(), destination.begin());
  }

 private:
  std::string name_ = "\"memory\"";
  std::string bytes_;
};

}  // namespace bifrons::testing
