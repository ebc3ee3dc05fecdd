// Every attempt begins at the hub's own address, so an expired address of a storage is replaced.
#include "src/hub/download.h"

#include <fmt/format.h>

#include <charconv>
#include <optional>

#include "kernels/error.h"
#include "src/hub/hub_errors.h"
#include "src/io/quote.h"

namespace bifrons::hub {
namespace {

constexpr int64_t kProgress = 1 << 20;  // bytes of an attempt that make it worth another one

// "bytes 5-9/10" of a reply 206.
struct Range {
  int64_t first = 0, last = 0;
  std::optional<int64_t> total;  // none for "*"
};

std::optional<Range> range_of(std::string_view text) {
  constexpr std::string_view kUnit = "bytes ";
  if (!text.starts_with(kUnit)) return std::nullopt;
  const char* at = text.data() + kUnit.size();
  const char* const end = text.data() + text.size();
  const auto number = [&](int64_t& value) {
    const auto [next, error] = std::from_chars(at, end, value);
    at = next;
    return error == std::errc() && value >= 0;
  };
  const auto sign = [&](char c) { return at != end && *at++ == c; };
  Range range;
  if (!number(range.first) || !sign('-') || !number(range.last) || !sign('/')) return std::nullopt;
  if (std::string_view(at, static_cast<size_t>(end - at)) == "*") return range;
  int64_t total = 0;
  if (!number(total) || at != end) return std::nullopt;
  range.total = total;
  return range;
}

// Appends the body of one reply to the part.
class PartSink : public HttpSink {
 public:
  PartSink(PartFile& part, const RemoteFile& file, const std::function<void(int64_t)>& progress)
      : part_(part), file_(file), progress_(progress) {}

  bool begin(const HttpReply& reply) override {
    if (reply.status == 206) {
      const auto range = range_of(reply.header("content-range"));
      if (!range || range->first != part_.bytes() || range->last >= file_.bytes ||
          range->total.value_or(file_.bytes) != file_.bytes) {
        fault = fmt::format("the range {} where {}- of {} was asked for",
                            quote(reply.header("content-range"), 60), part_.bytes(), file_.bytes);
      }
      return fault.empty();
    }
    if (reply.status != 200) return false;
    const auto length = reply.number("content-length");
    if (length && *length != file_.bytes) {
      fault = fmt::format("{} bytes where the hub lists {}", *length, file_.bytes);
      return false;
    }
    if (part_.bytes() > 0) part_.truncate();  // the server sends all of it again
    return true;
  }

  bool take(std::span<const uint8_t> bytes) override {
    if (static_cast<int64_t>(bytes.size()) > file_.bytes - part_.bytes()) {
      fault = fmt::format("more than the {} bytes that the hub lists", file_.bytes);
      return false;
    }
    part_.take(bytes);
    progress_(part_.bytes());
    return true;
  }

  std::string fault;  // what the server sent that it should not have; empty: nothing

 private:
  PartFile& part_;
  const RemoteFile& file_;
  const std::function<void(int64_t)>& progress_;
};

// Whether a storage that the hub sent on to no longer accepts the address that the hub made.
bool has_expired(const HubReply& reply) {
  const int status = reply.status;
  return reply.transport == Transport::kWhole && !reply.from_endpoint &&
         (status == 400 || status == 401 || status == 403 || status == 404 || status == 410);
}

class Downloading {
 public:
  Downloading(HubRequests& requests, const ModelReference& model, const RemoteFile& file,
              PartFile& part, const std::function<void(int64_t)>& progress)
      : requests_(requests),
        model_(model),
        file_(file),
        part_(part),
        progress_(progress),
        patience_(requests) {}

  void run() {
    part_.hash_again(requests_.settings().http.heed);
    while (true) {
      progress_(part_.bytes());
      while (!part_.is_whole()) attempt();
      if (part_.is_right()) return;
      part_.truncate();
      count_fault("bytes with another checksum than the hub lists");
    }
  }

 private:
  // The same wrong bytes twice are no accident of the network.
  void count_fault(const std::string& what) {
    if (++faults_ < 2) return;
    part_.remove();
    throw Error(ErrorKind::kData,
                fmt::format("{}: the hub sends {}; nothing of it was kept; try again later, or "
                            "another hub (HF_ENDPOINT, ms://)",
                            quote_if_needed(file_.path), what));
  }

  void attempt() {
    const int64_t before = part_.bytes();
    std::vector<std::string> headers;
    if (before > 0) headers.push_back(fmt::format("Range: bytes={}-", before));
    PartSink sink(part_, file_, progress_);
    const HubReply reply = [&] {
      try {
        return requests_.get(file_.url, headers, sink);
      } catch (...) {
        part_.flush();
        throw;
      }
    }();
    part_.flush();
    if (part_.bytes() - before >= kProgress) patience_.progress();
    if (!sink.fault.empty()) {
      part_.truncate();
      count_fault(sink.fault);
    } else if (!part_.is_whole()) {
      go_on_after(reply);
    }
  }

  void go_on_after(const HubReply& reply) {
    if (reply.status == 416) {  // the server's file ends before the part does
      count_fault(fmt::format("no bytes from {} on, of {}", part_.bytes(), file_.bytes));
      part_.truncate();
      return;
    }
    const bool ended_early =
        reply.transport == Transport::kWhole && (reply.status == 200 || reply.status == 206);
    if (ended_early) {
      HubReply early = reply;
      early.transport = Transport::kBroken;
      early.failure = fmt::format("the file ends after {} of {} bytes", part_.bytes(), file_.bytes);
      patience_.wait(early, broken(early));
      return;
    }
    const Error error = reply.transport == Transport::kWhole
                            ? refused(reply, model_, requests_, file_.path)
                            : broken(reply);
    if (!may_succeed_later(reply) && !has_expired(reply)) throw Error(error);
    patience_.wait(reply, error);
  }

  HubRequests& requests_;
  const ModelReference& model_;
  const RemoteFile& file_;
  PartFile& part_;
  const std::function<void(int64_t)>& progress_;
  Patience patience_;
  int faults_ = 0;
};

}  // namespace

void download(HubRequests& requests, const ModelReference& model, const RemoteFile& file,
              PartFile& part, const std::function<void(int64_t)>& progress) {
  Downloading(requests, model, file, part, progress).run();
}

}  // namespace bifrons::hub
