// git's name of a file is the SHA-1 of "blob", its size, a zero byte and its bytes.
#include "src/hub/content_digest.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <vector>

namespace bifrons::hub {

ContentDigest::ContentDigest(DigestKind kind, int64_t bytes) {
  if (kind != DigestKind::kGitBlob) return;
  const std::string head = fmt::format("blob {}", bytes);
  sum_.emplace<Sha1>().add(std::string_view(head.c_str(), head.size() + 1));
}

void ContentDigest::add(std::span<const uint8_t> bytes) {
  std::visit([&](auto& sum) { sum.add(bytes); }, sum_);
}

std::string ContentDigest::finish() {
  return std::visit([](auto& sum) { return sum.finish(); }, sum_);
}

bool add_file(ContentDigest& digest, int file, int64_t bytes, const std::function<void()>& heed) {
  constexpr int64_t kBlock = 128 << 10;
  std::vector<uint8_t> block(static_cast<size_t>(std::clamp<int64_t>(bytes, 1, kBlock)));
  for (int64_t at = 0; at < bytes;) {
    if (heed) heed();
    const size_t wanted = std::min<size_t>(block.size(), static_cast<size_t>(bytes - at));
    const ssize_t n = pread(file, block.data(), wanted, at);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    digest.add(std::span(block).first(static_cast<size_t>(n)));
    at += n;
  }
  return true;
}

}  // namespace bifrons::hub
