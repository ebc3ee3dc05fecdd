// A file seen as memory, for weights that are copied out once.
#include "src/io/mapped_file.h"

#include <fmt/format.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "kernels/error.h"

namespace bifrons {

MappedFile::MappedFile(File file) : file_(std::move(file)) {
  const auto size = static_cast<size_t>(file_.size());
  void* base = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file_.descriptor(), 0);
  if (base == MAP_FAILED) {
    if (errno == ENOMEM) {
      throw Error(ErrorKind::kUnavailable,
                  fmt::format("{}: not enough memory to map its {} bytes", file_.name(), size));
    }
    throw Error(ErrorKind::kFailed, fmt::format("{}: cannot be mapped into memory: {}",
                                                file_.name(), std::strerror(errno)));
  }
  ::madvise(base, size, MADV_SEQUENTIAL);  // long read-ahead: a tensor is copied front to back
  bytes_ = {static_cast<const std::byte*>(base), size};
}

MappedFile::MappedFile(MappedFile&& other) noexcept
    : file_(std::move(other.file_)), bytes_(std::exchange(other.bytes_, {})) {}

MappedFile::~MappedFile() {
  if (!bytes_.empty()) ::munmap(const_cast<std::byte*>(bytes_.data()), bytes_.size());
}

void MappedFile::release(std::span<const std::byte> range) const {
  if (range.empty()) return;
  check(
      range.data() >= bytes_.data() && range.data() + range.size() <= bytes_.data() + bytes_.size(),
      "mapped file: release of bytes that are not its own");
  // Rounded outwards: a neighbour's page that goes too is read from the page cache again.
  const auto page = static_cast<size_t>(::sysconf(_SC_PAGESIZE));
  const auto begin = static_cast<size_t>(range.data() - bytes_.data()) / page * page;
  const auto end = static_cast<size_t>(range.data() - bytes_.data()) + range.size();
  ::madvise(const_cast<std::byte*>(bytes_.data()) + begin, end - begin, MADV_DONTNEED);
}

}  // namespace bifrons
