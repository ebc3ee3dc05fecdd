// GET /api/v1/models/{id}/repo/files lists; GET /api/v1/models/{id}/repo?FilePath= leads to a file.
#include "src/hub/model_scope.h"

#include <fmt/format.h>

#include "kernels/error.h"
#include "src/hub/hub_errors.h"
#include "src/io/json.h"
#include "src/io/sha1.h"

namespace bifrons::hub {
namespace {

constexpr const char* kModelScope = "ModelScope";
constexpr const char* kList = "ModelScope's list of files";

const Json& member(const Json& object, const char* name) {
  const Json* found = object.find(name);
  if (found == nullptr) {
    throw Error(ErrorKind::kData, fmt::format("{} has no {}; nothing was downloaded", kList, name));
  }
  return *found;
}

Error refused_here(const HubReply& reply, const ModelReference& model,
                   const HubRequests& requests) {
  if (reply.status != 404 && reply.status != 401) return refused(reply, model, requests);
  return {ErrorKind::kMissing,
          fmt::format("{}: no such model at {}, or no revision {} of it; check the name", model.id,
                      requests.settings().endpoint, model.revision)};
}

}  // namespace

Listing list_model_scope_files(HubRequests& requests, const ModelReference& model) {
  Listing listing{.model = model};
  if (listing.model.revision.empty()) listing.model.revision = "master";
  const std::string api =
      fmt::format("{}/api/v1/models/{}/repo", requests.settings().endpoint, model.id);
  const std::string revision = percent_encoded(listing.model.revision);
  const auto error = [&](const HubReply& reply) {
    return refused_here(reply, listing.model, requests);
  };
  HubReply reply;
  const Json answer = Json::parse(
      requests.get_text(fmt::format("{}/files?Revision={}&Recursive=true", api, revision),
                        kMostAnswerBytes, error, reply),
      kList, kAnswerLimits);
  for (const Json& entry : member(member(answer, "Data"), "Files").items(kList)) {
    if (member(entry, "Type").text(kList) == "tree") continue;
    RemoteFile file{.path = member(entry, "Path").text(kList),
                    .bytes = member(entry, "Size").unsigned_integer(kList),
                    .digest = member(entry, "Sha256").text(kList)};
    file.url = fmt::format("{}?Revision={}&FilePath={}", api, revision, percent_encoded(file.path));
    listing.files.push_back(std::move(file));
    if (listing.files.size() > kMostListedFiles) {
      throw Error(ErrorKind::kData,
                  fmt::format("ModelScope lists more than {} files, which no model has; nothing "
                              "was downloaded",
                              kMostListedFiles));
    }
  }
  check_listing(listing, kModelScope);
  Sha1 sum;
  for (const RemoteFile& file : listing.files) sum.add(file.path + "\n" + file.digest + "\n");
  listing.commit = sum.finish();
  return listing;
}

}  // namespace bifrons::hub
