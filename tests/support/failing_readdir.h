// A directory whose listing breaks off, as that of a disk that fails.
#pragma once

namespace bifrons::testing {

// While it lives, every listing in this program fails with EIO after `entries` entries.
class FailingReaddir {
 public:
  explicit FailingReaddir(int entries);
  FailingReaddir(const FailingReaddir&) = delete;
  FailingReaddir& operator=(const FailingReaddir&) = delete;
  ~FailingReaddir();
};

}  // namespace bifrons::testing
