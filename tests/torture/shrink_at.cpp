// Preloaded library that truncates a file before the k-th pread of the program.
//
// SHRINK_AT=k, SHRINK_FILE=path, SHRINK_TO=bytes. SHRINK_COUNT=path gets the number of calls so
// far.
#include <dlfcn.h>
#include <fcntl.h>
#include <sys/types.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>

namespace {

std::atomic<long> calls{0};

long number_of(const char* name) {
  const char* text = std::getenv(name);
  return text == nullptr ? -1 : std::atol(text);
}

void note_call() {
  const long call = ++calls;
  if (const char* path = std::getenv("SHRINK_COUNT")) {
    char text[32];
    const int length = std::snprintf(text, sizeof text, "%ld\n", call);
    const int file = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    if (file < 0 || write(file, text, length) != length) std::abort();
    close(file);
  }
  if (call == number_of("SHRINK_AT") &&
      truncate(std::getenv("SHRINK_FILE"), number_of("SHRINK_TO")) != 0) {
    std::abort();
  }
}

using Read = ssize_t (*)(int, void*, size_t, off_t);

ssize_t pass_on(const char* name, int file, void* to, size_t bytes, off_t offset) {
  note_call();
  return reinterpret_cast<Read>(dlsym(RTLD_NEXT, name))(file, to, bytes, offset);
}

}  // namespace

extern "C" {

ssize_t pread(int file, void* to, size_t bytes, off_t offset) {
  return pass_on("pread", file, to, bytes, offset);
}

ssize_t pread64(int file, void* to, size_t bytes, off_t offset) {
  return pass_on("pread64", file, to, bytes, offset);
}
}
