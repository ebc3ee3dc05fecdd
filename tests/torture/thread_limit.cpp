// Preloaded library: pthread_create fails from call BIFRONS_TEST_FIRST_REFUSED on, or only for that
// call with BIFRONS_TEST_REFUSE_ONE. Every call appends a byte to the file BIFRONS_TEST_CALLS.
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdlib>

extern "C" int pthread_create(pthread_t* thread, const pthread_attr_t* attributes,
                              void* (*body)(void*), void* argument) {
  static std::atomic<long> calls{0};
  const long call = ++calls;
  if (const char* path = std::getenv("BIFRONS_TEST_CALLS")) {
    const int file = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (file < 0 || write(file, ".", 1) != 1) std::abort();
    close(file);
  }
  const char* first = std::getenv("BIFRONS_TEST_FIRST_REFUSED");
  const long refused = first != nullptr ? std::atol(first) : 0;
  const bool one = std::getenv("BIFRONS_TEST_REFUSE_ONE") != nullptr;
  if (refused > 0 && (one ? call == refused : call >= refused)) return EAGAIN;
  using Create = int (*)(pthread_t*, const pthread_attr_t*, void* (*)(void*), void*);
  static const auto create = reinterpret_cast<Create>(dlsym(RTLD_NEXT, "pthread_create"));
  return create(thread, attributes, body, argument);
}
