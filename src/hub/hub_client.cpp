// The Hugging Face hub: a revision is a commit, a commit has a tree, a tree comes in pages.
#include "src/hub/hub_client.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <set>

#include "kernels/error.h"
#include "src/hub/hub_errors.h"
#include "src/hub/model_scope.h"
#include "src/io/json.h"
#include "src/io/quote.h"
#include "src/io/text.h"

namespace bifrons::hub {
namespace {

constexpr size_t kMostPages = 100;
constexpr const char* kHub = "the hub";

[[noreturn]] void disbelieve(const std::string& what) {
  throw Error(ErrorKind::kData, what + "; nothing was downloaded");
}

// The address in `Link: <address>; rel="next"`; nullopt if there is none.
std::optional<std::string> next_page(const HubReply& reply) {
  const std::string& link = reply.header("link");
  const size_t rel = link.find("rel=\"next\"");
  if (rel == link.npos) return std::nullopt;
  const size_t begin = link.rfind('<', rel);
  const size_t end = link.find('>', begin == link.npos ? 0 : begin);
  if (begin == link.npos || end == link.npos || end > rel) {
    disbelieve("the hub's list of files goes on at no address");
  }
  return link.substr(begin + 1, end - begin - 1);
}

// One entry of a tree; nullopt for a directory.
std::optional<RemoteFile> file_of(const Json& entry) {
  constexpr const char* kWhere = "an entry in the hub's list of files";
  const Json* type = entry.find("type");
  if (type == nullptr) disbelieve(std::string(kWhere) + " has no type");
  if (type->text(kWhere) == "directory") return std::nullopt;
  const auto member = [&](const Json& object, const char* name) -> const Json& {
    const Json* found = object.find(name);
    if (found == nullptr) disbelieve(fmt::format("{} has no {}", kWhere, name));
    return *found;
  };
  RemoteFile file;
  file.path = member(entry, "path").text(kWhere);
  file.bytes = member(entry, "size").unsigned_integer(kWhere);
  const Json* lfs = entry.find("lfs");
  if (lfs != nullptr && !lfs->is_null()) {
    file.bytes = member(*lfs, "size").unsigned_integer(kWhere);
    file.digest = member(*lfs, "oid").text(kWhere);
    if (file.digest.starts_with("sha256:")) file.digest.erase(0, 7);
  } else {
    file.kind = DigestKind::kGitBlob;
    file.digest = member(entry, "oid").text(kWhere);
  }
  return file;
}

// Adds the files of all pages.
void read_pages(HubRequests& requests, const HubRequests::MakeError& error, std::string url,
                std::vector<RemoteFile>& files) {
  std::set<std::string> seen;
  for (std::optional<std::string> next = url; next;) {
    if (!seen.insert(*next).second) disbelieve("the hub's list of files leads back to itself");
    if (seen.size() > kMostPages) disbelieve("the hub's list of files has no end");
    HubReply reply;
    const Json page = Json::parse(requests.get_text(*next, kMostAnswerBytes, error, reply),
                                  "the hub's list of files", kAnswerLimits);
    for (const Json& entry : page.items("the hub's list of files")) {
      if (auto file = file_of(entry)) files.push_back(std::move(*file));
      if (files.size() > kMostListedFiles) {
        disbelieve(
            fmt::format("the hub lists more than {} files, which no model has", kMostListedFiles));
      }
    }
    next = next_page(reply);
  }
}

// The commit of the revision. Tells of a new name.
std::string commit_of(HubRequests& requests, const HubRequests::MakeError& error,
                      const std::string& api, const ModelReference& model) {
  HubReply reply;
  const Json answer =
      Json::parse(requests.get_text(api + "/revision/" + percent_encoded(model.revision),
                                    kMostAnswerBytes, error, reply),
                  "the hub's answer about " + model.id, kAnswerLimits);
  const Json* disabled = answer.find("disabled");
  if (disabled != nullptr && !disabled->is_null() && disabled->boolean("\"disabled\"")) {
    throw Error(ErrorKind::kMissing,
                model.id + " was disabled by the hub; look for another copy of the model");
  }
  const Json* name = answer.find("id");
  if (name != nullptr && name->is_string() && name->text("id") != model.id &&
      is_model_id(name->text("id")) && requests.settings().tell) {
    requests.settings().tell(fmt::format("{} is now named {}", model.id, name->text("id")));
  }
  const Json* sha = answer.find("sha");
  if (sha == nullptr || !sha->is_string() || !is_commit(sha->text("sha"))) {
    disbelieve(fmt::format("the hub names no commit for {}", model.id));
  }
  return sha->text("sha");
}

}  // namespace

Listing list_files(HubRequests& requests, const ModelReference& model) {
  if (model.kind == HubKind::kModelScope) return list_model_scope_files(requests, model);
  Listing listing{.model = model};
  if (listing.model.revision.empty()) listing.model.revision = "main";
  const std::string& endpoint = requests.settings().endpoint;
  const std::string api = endpoint + "/api/models/" + model.id;
  const auto error = [&](const HubReply& reply) { return refused(reply, listing.model, requests); };
  listing.commit = commit_of(requests, error, api, listing.model);
  read_pages(requests, error, api + "/tree/" + listing.commit + "?recursive=true", listing.files);
  check_listing(listing, kHub);
  for (RemoteFile& file : listing.files) {
    file.url = fmt::format("{}/{}/resolve/{}/{}", endpoint, model.id, listing.commit,
                           percent_encoded(file.path, true));
  }
  return listing;
}

void check_listing(Listing& listing, std::string_view hub) {
  std::set<std::string_view> paths;
  for (const RemoteFile& file : listing.files) {
    check_path(file.path, hub);
    if (!paths.insert(file.path).second) {
      disbelieve(fmt::format("{} lists {} twice", hub, quote(file.path, 80)));
    }
    if (file.bytes > kMostFileBytes) {
      disbelieve(fmt::format("{} lists {} with {} bytes, which no file of a model has", hub,
                             quote(file.path, 80), file.bytes));
    }
    if (!is_hex(file.digest, file.kind == DigestKind::kSha256 ? 64 : 40)) {
      disbelieve(fmt::format("{} lists {} with {}, which is no checksum", hub, quote(file.path, 80),
                             quote(file.digest, 80)));
    }
  }
  for (const std::string_view path : paths) {
    for (size_t slash = path.find('/'); slash != path.npos; slash = path.find('/', slash + 1)) {
      if (paths.count(path.substr(0, slash)) == 0) continue;
      disbelieve(fmt::format("{} lists {} as a file and as a directory", hub,
                             quote(path.substr(0, slash), 80)));
    }
  }
  std::sort(listing.files.begin(), listing.files.end(),
            [](const RemoteFile& a, const RemoteFile& b) { return a.path < b.path; });
}

}  // namespace bifrons::hub
