// Requests to one hub: redirects, the token, waiting and trying again.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "kernels/error.h"
#include "src/hub/http.h"

namespace bifrons::hub {

struct HubSettings {
  std::string endpoint;  // "https://host[:port][/path]", no slash at its end
  std::string token;     // empty: none
  HttpSettings http;
  int attempts = 5;       // without progress between them
  double first_wait = 1;  // seconds; each further wait is twice as long, up to 8 times the first
  std::function<void(const std::string&)> tell;  // one line on a wait or a rename
};

// A reply after all redirects, and who gave it.
struct HubReply : HttpReply {
  std::string host;           // host and port
  bool from_endpoint = true;  // false: a server that a redirect led to
};

class HubRequests {
 public:
  // Throws Error: usage (the endpoint is no address, the token has characters that no token has),
  // unavailable.
  explicit HubRequests(HubSettings settings);

  const HubSettings& settings() const { return settings_; }
  bool has_token() const { return !settings_.token.empty(); }
  // Whether any server has replied so far.
  bool reached() const { return reached_; }

  // One GET that follows at most 8 redirects. The token goes to the endpoint's scheme, host and
  // port only. Throws Error (data) for a redirect from https to http, to no web address, or in a
  // circle.
  HubReply get(const std::string& url, const std::vector<std::string>& headers, HttpSink& sink,
               double seconds = 0);

  // The body of a reply 200 of at most `most` bytes, tried again as Patience allows. For any other
  // status it throws what `error` makes of the reply. `reply` receives the headers.
  using MakeError = std::function<Error(const HubReply&)>;
  std::string get_text(const std::string& url, size_t most, const MakeError& error,
                       HubReply& reply);

 private:
  HubSettings settings_;
  Address endpoint_;
  Http http_;
  bool reached_ = false;
};

// Whether the same request may succeed later: a broken transfer, or a status such as 429 or 503.
bool may_succeed_later(const HubReply& reply);

// Seconds that the reply asks to wait (Retry-After, RateLimit); 0 if it does not.
double seconds_asked(const HubReply& reply);

// Counts the attempts of one request and waits between them.
class Patience {
 public:
  explicit Patience(const HubRequests& requests) : requests_(requests) {}
  // Something came of the last attempt: counting starts again.
  void progress() { attempts_ = 0; }
  // Waits before the next attempt. Throws `error` after enough attempts, or if the hub asks for a
  // longer wait than ten minutes.
  void wait(const HubReply& reply, const Error& error);

 private:
  const HubRequests& requests_;
  int attempts_ = 0;
};

}  // namespace bifrons::hub
