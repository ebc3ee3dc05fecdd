// One HTTP request at a time over a connection that is kept. Redirects are not followed here.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace bifrons::hub {

// Whether this build can download; without libcurl it cannot.
bool can_download();

// Version of libcurl, such as "7.88.1"; empty without it.
std::string http_version();

// An address in its parts, as the library that connects reads it.
struct Address {
  std::string text;    // the whole one
  std::string scheme;  // "http" or "https"
  std::string host;    // in lower case; in brackets for IPv6
  std::string port;    // also when it is the usual one
  bool is_https() const { return scheme == "https"; }
};

// Parses an address; `text` may be relative to `base`. nullopt unless the result is http or https,
// without name and password in it.
std::optional<Address> parse_address(const std::string& text, const std::string& base = {});

// Seconds from 1970 to a date in a header, such as "Sun, 06 Nov 1994 08:49:37 GMT"; nullopt if the
// text is no date.
std::optional<int64_t> parse_http_date(const std::string& text);

// Whether scheme, host and port are the same.
bool same_origin(const Address& a, const Address& b);

struct HttpSettings {
  std::string user_agent;
  std::string ca_file;  // certificates to trust; empty for those of the system
  double connect_seconds = 10;
  double stall_seconds = 30;   // a transfer that is slower than 1 kB/s for so long is ended
  std::function<void()> heed;  // called at least once a second; it may throw
};

// How a transfer failed before there was a whole reply.
enum class Transport {
  kWhole,       // it did not
  kNotReached,  // no connection: no such host, refused, no answer
  kBroken,      // the connection ended early, stalled or broke the protocol
  kRefused,     // nothing that another try would change: a certificate, a bad address
};

struct HttpReply {
  int status = 0;                              // 0: none arrived
  std::map<std::string, std::string> headers;  // names in lower case
  Transport transport = Transport::kWhole;
  std::string failure;  // a clause for the message; empty for kWhole

  // The value of a header; empty if there is none.
  const std::string& header(const std::string& name) const;
  // A header that is a whole number from 0 to 2^62; nullopt for all else.
  std::optional<int64_t> number(const std::string& name) const;
};

// Takes the body of a reply as it arrives. Whatever it throws ends the transfer and reaches the
// caller of get().
class HttpSink {
 public:
  virtual ~HttpSink() = default;
  // Called once the headers are there. Returns false if the body is not wanted.
  virtual bool begin(const HttpReply& reply) = 0;
  // Returns false if no more is wanted.
  virtual bool take(std::span<const uint8_t> bytes) = 0;
};

class Http {
 public:
  // Throws Error (unavailable) in a build without libcurl.
  explicit Http(HttpSettings settings);
  Http(const Http&) = delete;
  Http& operator=(const Http&) = delete;
  ~Http();

  // GET. `headers` are whole lines without line ends. `seconds`: limit for the whole transfer;
  // 0 for none.
  HttpReply get(const Address& address, const std::vector<std::string>& headers, HttpSink& sink,
                double seconds);

 private:
  class Transfer;
  HttpSettings settings_;
  std::unique_ptr<void, void (*)(void*)> handle_;
};

}  // namespace bifrons::hub
