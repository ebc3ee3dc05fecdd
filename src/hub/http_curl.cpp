// HTTP through libcurl's easy interface. The environment variables of proxies are read by libcurl.
#include <curl/curl.h>

#include <algorithm>
#include <charconv>
#include <exception>

#include "kernels/error.h"
#include "src/hub/http.h"
#include "src/io/quote.h"
#include "src/io/text.h"

namespace bifrons::hub {
namespace {

constexpr size_t kMostHeaderBytes = 64 << 10;
constexpr size_t kMostIgnoredBytes = 64 << 10;  // of a body that nobody wants
constexpr long kBufferBytes = 128 << 10;

using Handle = std::unique_ptr<CURL, decltype(&curl_easy_cleanup)>;
using UrlHandle = std::unique_ptr<CURLU, decltype(&curl_url_cleanup)>;
using Lines = std::unique_ptr<curl_slist, decltype(&curl_slist_free_all)>;

std::string part_of(CURLU* url, CURLUPart part, unsigned flags = 0) {
  char* text = nullptr;
  if (curl_url_get(url, part, &text, flags) != CURLUE_OK || text == nullptr) return {};
  std::string copy = text;
  curl_free(text);
  return copy;
}

// curl_global_init() is not safe on two threads at once; a static variable is.
void initialise() {
  static const CURLcode kCode = curl_global_init(CURL_GLOBAL_DEFAULT);
  if (kCode != CURLE_OK) throw Error(ErrorKind::kUnavailable, "libcurl could not be started");
}

Transport transport_of(CURLcode code) {
  switch (code) {
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
    case CURLE_COULDNT_CONNECT:
    case CURLE_PROXY:
    case CURLE_INTERFACE_FAILED:
      return Transport::kNotReached;
    case CURLE_URL_MALFORMAT:
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_ENGINE_NOTFOUND:
    case CURLE_OUT_OF_MEMORY:
      return Transport::kRefused;
    default:
      return Transport::kBroken;
  }
}

}  // namespace

std::optional<int64_t> parse_http_date(const std::string& text) {
  const time_t date = curl_getdate(text.c_str(), nullptr);
  return date == -1 ? std::nullopt : std::optional(int64_t{date});
}

bool can_download() { return true; }

std::string http_version() { return curl_version_info(CURLVERSION_NOW)->version; }

std::optional<Address> parse_address(const std::string& text, const std::string& base) {
  if (text.size() > 8000 || text.find('\0') != text.npos) return std::nullopt;
  const UrlHandle url(curl_url(), curl_url_cleanup);
  if (!url) throw std::bad_alloc();
  constexpr unsigned kFlags = CURLU_URLENCODE;
  if (!base.empty() && curl_url_set(url.get(), CURLUPART_URL, base.c_str(), 0) != CURLUE_OK) {
    return std::nullopt;
  }
  if (curl_url_set(url.get(), CURLUPART_URL, text.c_str(), kFlags) != CURLUE_OK) {
    return std::nullopt;
  }
  curl_url_set(url.get(), CURLUPART_FRAGMENT, nullptr, 0);
  Address address{.text = part_of(url.get(), CURLUPART_URL),
                  .scheme = lower_case(part_of(url.get(), CURLUPART_SCHEME)),
                  .host = lower_case(part_of(url.get(), CURLUPART_HOST)),
                  .port = part_of(url.get(), CURLUPART_PORT, CURLU_DEFAULT_PORT)};
  const bool named = !part_of(url.get(), CURLUPART_USER).empty() ||
                     !part_of(url.get(), CURLUPART_PASSWORD).empty();
  if (named || address.host.empty() || address.text.empty()) return std::nullopt;
  if (address.scheme != "http" && address.scheme != "https") return std::nullopt;
  return address;
}

bool same_origin(const Address& a, const Address& b) {
  return a.scheme == b.scheme && a.host == b.host && a.port == b.port;
}

// What the callbacks of one request need. They are called by C code, so what they would throw is
// kept and thrown afterwards.
class Http::Transfer {
 public:
  Transfer(const HttpSettings& settings, HttpSink& sink) : settings_(settings), sink_(sink) {}

  static size_t on_header(char* bytes, size_t, size_t count, void* self) {
    auto& transfer = *static_cast<Transfer*>(self);
    return transfer.guarded([&] { transfer.take_header({bytes, count}); }) ? count : count + 1;
  }
  static size_t on_body(char* bytes, size_t, size_t count, void* self) {
    auto& transfer = *static_cast<Transfer*>(self);
    const std::span body(reinterpret_cast<const uint8_t*>(bytes), count);
    return transfer.guarded([&] { transfer.take_body(body); }) ? count : count + 1;
  }
  static int on_progress(void* self, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
    auto& transfer = *static_cast<Transfer*>(self);
    return transfer.guarded([&] {
      if (transfer.settings_.heed) transfer.settings_.heed();
    })
               ? 0
               : 1;
  }

  HttpReply finish(CURLcode code, const char* message) {
    if (thrown_) std::rethrow_exception(thrown_);
    if (code != CURLE_OK && !enough_) {
      const std::string text = *message != '\0' ? message : curl_easy_strerror(code);
      reply.transport = transport_of(code);
      reply.failure = quote_if_needed(text.substr(0, 300));
    } else if (!begun_) {
      sink_.begin(reply);
    }
    return std::move(reply);
  }

  HttpReply reply;

 private:
  // False if the transfer must end.
  template <typename Body>
  bool guarded(const Body& body) {
    try {
      body();
      return !enough_;
    } catch (...) {
      thrown_ = std::current_exception();
      return false;
    }
  }

  void take_header(std::string_view line) {
    header_bytes_ += line.size();
    if (header_bytes_ > kMostHeaderBytes) {
      throw Error(ErrorKind::kData, "the hub sends more than 64 KiB of headers; try again later");
    }
    if (line.starts_with("HTTP/")) {  // also after a reply 100
      reply.headers.clear();
      const size_t space = line.find(' ');
      const std::string_view rest = space == line.npos ? "" : line.substr(space + 1);
      reply.status = 0;
      std::from_chars(rest.data(), rest.data() + std::min<size_t>(rest.size(), 3), reply.status);
      return;
    }
    const size_t colon = line.find(':');
    if (colon == line.npos) return;
    reply.headers[lower_case(line.substr(0, colon))] = trimmed(line.substr(colon + 1));
  }

  void take_body(std::span<const uint8_t> bytes) {
    if (!begun_) {
      begun_ = true;
      wanted_ = sink_.begin(reply);
    }
    if (wanted_) {
      enough_ = !sink_.take(bytes);
    } else {
      ignored_ += bytes.size();
      enough_ = ignored_ > kMostIgnoredBytes;
    }
  }

  const HttpSettings& settings_;
  HttpSink& sink_;
  std::exception_ptr thrown_;
  size_t header_bytes_ = 0;
  size_t ignored_ = 0;
  bool begun_ = false, wanted_ = false;
  bool enough_ = false;  // the rest of the body is not wanted
};

Http::Http(HttpSettings settings)
    : settings_(std::move(settings)),
      handle_(nullptr, [](void* handle) { curl_easy_cleanup(static_cast<CURL*>(handle)); }) {
  initialise();
  handle_.reset(curl_easy_init());
  if (!handle_) throw Error(ErrorKind::kUnavailable, "libcurl could not be started");
}

Http::~Http() = default;

HttpReply Http::get(const Address& address, const std::vector<std::string>& headers, HttpSink& sink,
                    double seconds) {
  CURL* curl = handle_.get();
  curl_easy_reset(curl);  // connections stay
  Lines lines(nullptr, curl_slist_free_all);
  for (const std::string& header : headers) {
    check(header.find_first_of("\r\n") == header.npos, "http: a header is one line");
    curl_slist* longer = curl_slist_append(lines.get(), header.c_str());
    if (longer == nullptr) throw std::bad_alloc();
    static_cast<void>(lines.release());  // it is part of the longer list
    lines.reset(longer);
  }
  Transfer transfer(settings_, sink);
  char message[CURL_ERROR_SIZE] = "";
  const auto set = [&](CURLoption option, auto value) { curl_easy_setopt(curl, option, value); };
  set(CURLOPT_URL, address.text.c_str());
  set(CURLOPT_PROTOCOLS_STR, "http,https");
  set(CURLOPT_FOLLOWLOCATION, 0L);
  set(CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
  set(CURLOPT_HTTPHEADER, lines.get());
  set(CURLOPT_USERAGENT, settings_.user_agent.c_str());
  set(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
  set(CURLOPT_NOSIGNAL, 1L);
  set(CURLOPT_BUFFERSIZE, kBufferBytes);
  set(CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(settings_.connect_seconds * 1000));
  set(CURLOPT_TIMEOUT_MS, static_cast<long>(seconds * 1000));
  set(CURLOPT_LOW_SPEED_LIMIT, 1000L);
  set(CURLOPT_LOW_SPEED_TIME, std::max(1L, static_cast<long>(settings_.stall_seconds)));
  if (!settings_.ca_file.empty()) set(CURLOPT_CAINFO, settings_.ca_file.c_str());
  set(CURLOPT_ERRORBUFFER, message);
  set(CURLOPT_HEADERFUNCTION, &Transfer::on_header);
  set(CURLOPT_HEADERDATA, &transfer);
  set(CURLOPT_WRITEFUNCTION, &Transfer::on_body);
  set(CURLOPT_WRITEDATA, &transfer);
  set(CURLOPT_NOPROGRESS, 0L);
  set(CURLOPT_XFERINFOFUNCTION, &Transfer::on_progress);
  set(CURLOPT_XFERINFODATA, &transfer);
  const CURLcode code = curl_easy_perform(curl);
  return transfer.finish(code, message);
}

}  // namespace bifrons::hub
