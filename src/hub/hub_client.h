// The files of a model at one commit, as its hub lists them.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "src/hub/hub_requests.h"
#include "src/hub/names.h"
#include "src/io/json.h"

namespace bifrons::hub {

// How the bytes of a file are checked.
enum class DigestKind {
  kSha256,   // of the bytes, 64 hex digits
  kGitBlob,  // SHA-1 of "blob <size>\0" and the bytes, 40 hex digits
};

struct RemoteFile {
  std::string path;  // below the repository, checked by check_path()
  int64_t bytes = 0;
  DigestKind kind = DigestKind::kSha256;
  std::string digest;  // also its name among the blobs of the cache
  std::string url;
};

struct Listing {
  ModelReference model;           // with the revision that was asked for, never empty
  std::string commit;             // 40 hex digits
  std::vector<RemoteFile> files;  // sorted by path; paths are unique, and none lies below another
};

// Asks the hub. Throws Error: missing, not permitted, unavailable, interrupted, or data where the
// answer is not one that is believed: too long, too many files, a size or a name that cannot be.
Listing list_files(HubRequests& requests, const ModelReference& model);

// The end of every listing: sorts the files and checks names and sizes. Throws Error (data).
void check_listing(Listing& listing, std::string_view hub);

// Bounds of what a hub may say.
inline constexpr size_t kMostListedFiles = 10'000;
inline constexpr int64_t kMostFileBytes = int64_t{1} << 40;
inline constexpr size_t kMostAnswerBytes = 2 << 20;  // a page of 1000 files has 0.4 MB
inline constexpr JsonLimits kAnswerLimits{
    .bytes = kMostAnswerBytes, .depth = 16, .values = 100'000};

}  // namespace bifrons::hub
