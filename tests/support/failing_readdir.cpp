// Stands before the readdir() of the C library, for the standard library too.
#include "tests/support/failing_readdir.h"

#include <dirent.h>
#include <dlfcn.h>

#include <cerrno>

namespace bifrons::testing {
namespace {

int entries_left = -1;  // -1: none fails

}  // namespace

FailingReaddir::FailingReaddir(int entries) { entries_left = entries; }
FailingReaddir::~FailingReaddir() { entries_left = -1; }

}  // namespace bifrons::testing

extern "C" dirent* readdir(DIR* directory) {
  using bifrons::testing::entries_left;
  using Function = dirent* (*)(DIR*);
  static const auto real = reinterpret_cast<Function>(dlsym(RTLD_NEXT, "readdir"));
  if (entries_left == 0) {
    errno = EIO;
    return nullptr;
  }
  if (entries_left > 0) --entries_left;
  return real(directory);
}
