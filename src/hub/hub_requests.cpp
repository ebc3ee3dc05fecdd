// Redirects are followed here and not by libcurl, so that each step is checked first.
#include "src/hub/hub_requests.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <cmath>
#include <thread>

#include "src/hub/hub_errors.h"
#include "src/io/quote.h"
#include "src/io/text.h"

namespace bifrons::hub {
namespace {

constexpr int kMostRedirects = 8;
constexpr double kLongestWait = 600;     // seconds
constexpr double kSecondsForText = 120;  // for a whole reply of the hub's API

bool is_redirect(const HttpReply& reply) {
  constexpr std::array kRedirects{301, 302, 303, 307, 308};
  return std::find(kRedirects.begin(), kRedirects.end(), reply.status) != kRedirects.end() &&
         !reply.header("location").empty();
}

// Hides the bodies of redirects from the caller's sink.
class FinalSink : public HttpSink {
 public:
  explicit FinalSink(HttpSink& sink) : sink_(sink) {}
  bool begin(const HttpReply& reply) override { return !is_redirect(reply) && sink_.begin(reply); }
  bool take(std::span<const uint8_t> bytes) override { return sink_.take(bytes); }

 private:
  HttpSink& sink_;
};

class TextSink : public HttpSink {
 public:
  TextSink(std::string& text, size_t most) : text_(text), most_(most) {}
  bool begin(const HttpReply& reply) override {
    text_.clear();
    return reply.status == 200;
  }
  bool take(std::span<const uint8_t> bytes) override {
    if (text_.size() + bytes.size() > most_) {
      throw Error(ErrorKind::kData,
                  fmt::format("the hub's answer is larger than {} MB, which no list of a model's "
                              "files is; nothing was downloaded",
                              most_ >> 20));
    }
    text_.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    return true;
  }

 private:
  std::string& text_;
  size_t most_;
};

Address checked_endpoint(const std::string& endpoint) {
  const auto address = parse_address(endpoint);
  if (address && endpoint.find_first_of("?#") == endpoint.npos) return *address;
  throw Error(ErrorKind::kUsage,
              fmt::format("{} is not the address of a hub; it is like https://host, without a name "
                          "and a password",
                          quote(endpoint, 100)));
}

Address next_address(const Address& at, const HttpReply& reply) {
  const std::string& location = reply.header("location");
  const auto next = parse_address(location, at.text);
  if (!next) {
    throw Error(ErrorKind::kData, fmt::format("{} sends on to {}, which is no web address; nothing "
                                              "was taken from there",
                                              at.host, quote(location, 100)));
  }
  if (at.is_https() && !next->is_https()) {
    throw Error(ErrorKind::kData,
                fmt::format("{} sends on from https to http ({}), where anybody on the way could "
                            "change the files; nothing was taken from there",
                            at.host, quote_if_needed(next->host)));
  }
  return *next;
}

}  // namespace

HubRequests::HubRequests(HubSettings settings)
    : settings_(std::move(settings)), endpoint_(), http_(settings_.http) {
  endpoint_ = checked_endpoint(settings_.endpoint);
  const bool plain = std::all_of(settings_.token.begin(), settings_.token.end(),
                                 [](char c) { return c > ' ' && c < 0x7f; });
  if (!plain || settings_.token.size() > 4000) {
    throw Error(ErrorKind::kUsage,
                "the token for the hub has blanks or other characters that no token has; check "
                "HF_TOKEN or its file");
  }
}

HubReply HubRequests::get(const std::string& url, const std::vector<std::string>& headers,
                          HttpSink& sink, double seconds) {
  const auto first = parse_address(url);
  if (!first) throw Error(ErrorKind::kData, quote(url, 200) + " is no web address");
  Address at = *first;
  FinalSink final_sink(sink);
  for (int redirects = 0; redirects <= kMostRedirects; ++redirects) {
    const bool at_endpoint = same_origin(at, endpoint_);
    std::vector<std::string> lines = headers;
    lines.emplace_back("Accept-Encoding: identity");
    if (at_endpoint && has_token()) lines.push_back("Authorization: Bearer " + settings_.token);
    HubReply reply{http_.get(at, lines, final_sink, seconds)};
    reply.host = at.host + ":" + at.port;
    reply.from_endpoint = at_endpoint;
    reached_ = reached_ || reply.status != 0;
    if (reply.transport != Transport::kWhole || !is_redirect(reply)) return reply;
    at = next_address(at, reply);
  }
  throw Error(ErrorKind::kData, fmt::format("{} sends on from address to address without an end; "
                                            "try again later",
                                            endpoint_.host));
}

std::string HubRequests::get_text(const std::string& url, size_t most, const MakeError& error,
                                  HubReply& reply) {
  Patience patience(*this);
  while (true) {
    std::string text;
    TextSink sink(text, most);
    reply = get(url, {}, sink, kSecondsForText);
    if (reply.transport == Transport::kWhole && reply.status == 200) return text;
    const Error failure = reply.transport == Transport::kWhole ? error(reply) : broken(reply);
    if (!may_succeed_later(reply)) throw Error(failure);
    patience.wait(reply, failure);
  }
}

bool may_succeed_later(const HubReply& reply) {
  if (reply.transport == Transport::kRefused) return false;
  if (reply.transport != Transport::kWhole) return true;
  const int status = reply.status;
  return status == 408 || status == 425 || status == 429 || status == 500 ||
         (status >= 502 && status <= 504) || (status >= 520 && status <= 524);
}

namespace {

// Retry-After: seconds, or the date to wait for. nullopt if it is neither, or absent.
std::optional<double> retry_after(const std::string& text) {
  if (text.empty()) return std::nullopt;
  if (text.find_first_not_of("0123456789") == text.npos) {
    double seconds = 0;
    const auto end = std::from_chars(text.data(), text.data() + text.size(), seconds);
    return end.ec == std::errc() ? seconds : HUGE_VAL;
  }
  const auto date = parse_http_date(text);
  if (!date) return std::nullopt;
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return std::max(0.0, static_cast<double>(*date) - std::chrono::duration<double>(now).count());
}

}  // namespace

double seconds_asked(const HubReply& reply) {
  if (const auto seconds = retry_after(reply.header("retry-after"))) return *seconds;
  // RateLimit: "api";r=0;t=55   r: requests that remain, t: seconds until there are more.
  const std::string& limit = reply.header("ratelimit");
  const size_t at = limit.find("t=");
  if (reply.status != 429 || at == limit.npos) return 0;
  int64_t seconds = 0;
  const char* end = limit.data() + limit.size();
  if (std::from_chars(limit.data() + at + 2, end, seconds).ec != std::errc()) return 0;
  return seconds < 0 ? 0 : static_cast<double>(seconds) + 1;
}

void Patience::wait(const HubReply& reply, const Error& error) {
  const HubSettings& settings = requests_.settings();
  const int most = requests_.reached() ? settings.attempts : std::min(settings.attempts, 2);
  const double asked = seconds_asked(reply);
  if (++attempts_ >= most || asked > kLongestWait) throw Error(error);
  const double doubled = settings.first_wait * std::min(8.0, std::exp2(attempts_ - 1));
  const double seconds = std::max(asked, doubled);
  if (settings.tell) {
    const std::string why =
        reply.transport != Transport::kWhole
            ? reply.failure
            : fmt::format("{} answers {}", quote_if_needed(reply.host), reply.status);
    settings.tell(fmt::format("{}; trying again in {:.0f} s", why, std::ceil(seconds)));
  }
  const auto end = std::chrono::steady_clock::now() + std::chrono::duration<double>(seconds);
  while (std::chrono::steady_clock::now() < end) {
    if (settings.http.heed) settings.http.heed();
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
}

}  // namespace bifrons::hub
