// X-Error-Code tells what a status means; without it the status is read.
#include "src/hub/hub_errors.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "src/io/quote.h"

namespace bifrons::hub {
namespace {

// The hub's own words, if there are any, for the end of a sentence.
std::string words_of(const HubReply& reply) {
  const std::string& words = reply.header("x-error-message");
  return words.empty() ? std::string() : ": " + quote(words, 120);
}

Error gated(const std::string& id, const std::string& page, bool has_token) {
  if (has_token) {
    return {kNotPermitted,
            fmt::format("{} is gated, and the account of this token has no access to it; ask for "
                        "it at {}",
                        id, page)};
  }
  return {kNotPermitted,
          fmt::format("{} is gated; ask for access at {}, then set HF_TOKEN to a token of that "
                      "account",
                      id, page)};
}

Error of_status(const HubReply& reply, const std::string& id, bool has_token) {
  const int status = reply.status;
  if (status == 429) {
    return {ErrorKind::kUnavailable,
            fmt::format("{} takes no more requests from here for now; try again in {:.0f} s{}",
                        reply.host, std::ceil(std::max(60.0, seconds_asked(reply))),
                        has_token ? "" : ", or set HF_TOKEN, as accounts may ask more often")};
  }
  if (status == 403 || status == 451) {
    return {kNotPermitted, fmt::format("{} does not give {} from here ({}{})", reply.host, id,
                                       status, words_of(reply))};
  }
  return {ErrorKind::kUnavailable, fmt::format("{} answers {} for {}{}; try again later",
                                               reply.host, status, id, words_of(reply))};
}

}  // namespace

Error broken(const HubReply& reply) {
  if (reply.transport == Transport::kNotReached) {
    return {ErrorKind::kUnavailable,
            fmt::format("cannot reach {} ({}); check the network and the proxy (https_proxy), or "
                        "name a mirror in HF_ENDPOINT",
                        reply.host, reply.failure)};
  }
  if (reply.transport == Transport::kRefused) {
    return {ErrorKind::kUnavailable,
            fmt::format("no connection to {} ({}); behind a proxy that opens connections, name its "
                        "certificates in SSL_CERT_FILE",
                        reply.host, reply.failure)};
  }
  return {ErrorKind::kInterrupted,
          fmt::format("the connection to {} breaks ({}); the same command goes on where it was",
                      reply.host, reply.failure)};
}

Error refused(const HubReply& reply, const ModelReference& model, const HubRequests& requests,
              const std::string& file) {
  const std::string& code = reply.header("x-error-code");
  const std::string page = requests.settings().endpoint + "/" + model.id;
  const bool disabled = reply.header("x-error-message").find("disabled") != std::string::npos;
  if (code == "GatedRepo") return gated(model.id, page, requests.has_token());
  if (disabled || code == "DisabledRepo") {
    return {ErrorKind::kMissing,
            fmt::format("{} was disabled by the hub{}; look for another copy of the model",
                        model.id, words_of(reply))};
  }
  if (code == "RevisionNotFound") {
    return {ErrorKind::kMissing,
            fmt::format("{} has no revision {}; its branches and tags are on {}", model.id,
                        quote(model.revision, 60), page)};
  }
  const bool no_model =
      code == "RepoNotFound" || (code.empty() && reply.status == 404 && file.empty());
  if (reply.status == 401 && code.empty() && requests.has_token()) {
    return {kNotPermitted,
            "the hub does not accept the token; make another one on its page of "
            "settings, or unset HF_TOKEN and remove the file with it"};
  }
  if (no_model || reply.status == 401) {
    return {ErrorKind::kMissing,
            fmt::format("{}: no such model at {}, or it is private; check the name, and set "
                        "HF_TOKEN for a private one",
                        model.id, requests.settings().endpoint)};
  }
  if (reply.status == 404) {
    return {ErrorKind::kMissing, fmt::format("{}: the hub lists {} but does not have it; try again "
                                             "later, or leave it out with --exclude",
                                             model.id, quote(file, 80))};
  }
  return of_status(reply, model.id, requests.has_token());
}

}  // namespace bifrons::hub
