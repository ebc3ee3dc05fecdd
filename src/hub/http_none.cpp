// A build without libcurl: nothing can be downloaded, and the one message says what to do.
#include "kernels/error.h"
#include "src/hub/http.h"

namespace bifrons::hub {

bool can_download() { return false; }

std::string http_version() { return {}; }

std::optional<Address> parse_address(const std::string& text, const std::string&) {
  return Address{.text = text};
}

std::optional<int64_t> parse_http_date(const std::string&) { return std::nullopt; }

bool same_origin(const Address&, const Address&) { return false; }

Http::Http(HttpSettings settings) : settings_(std::move(settings)), handle_(nullptr, [](void*) {}) {
  throw Error(ErrorKind::kUnavailable,
              "this program was built without libcurl, so it cannot download; install "
              "libcurl4-openssl-dev and build it again, or download with: hf download OWNER/NAME");
}

Http::~Http() = default;

HttpReply Http::get(const Address&, const std::vector<std::string>&, HttpSink&, double) {
  return {};
}

}  // namespace bifrons::hub
