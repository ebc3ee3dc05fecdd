// Brings a model from a hub into the cache or into a directory.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "src/hub/file_choice.h"
#include "src/hub/hub_client.h"
#include "src/hub/hub_requests.h"

namespace bifrons::hub {

struct PullOptions {
  ModelReference model;
  FileChoice choice;
  std::filesystem::path cache;      // root of the cache
  std::filesystem::path directory;  // plain files go here; empty: the cache
  bool overwrite = false;           // files in `directory` that no pull has written may be replaced
  bool links = true;                // false: the cache holds plain files in place of links
};

struct PlannedFile {
  RemoteFile file;
  int64_t there = 0;     // bytes of it that need not be loaded
  bool present = false;  // the whole file is in its place
};

struct PullPlan {
  ModelReference model;  // with the revision
  std::string commit;
  std::vector<PlannedFile> files;
  int64_t bytes = 0;  // of all files
  int64_t bytes_to_load = 0;
  int64_t bytes_free = 0;       // where they go
  std::filesystem::path place;  // the directory that will hold the files
};

// Asks the hub and looks what is there; writes nothing. Throws Error as list_files() and
// choose_files() do, and Error (cannot write) if a file of the user has the name of one to load.
PullPlan plan_pull(HubRequests& requests, const PullOptions& options);

// Throws Error (cannot write) if there is less room than the plan needs.
void check_room(const PullPlan& plan);

// Told of what run_pull() does, in order.
class PullWatch {
 public:
  virtual ~PullWatch() = default;
  virtual void begin(const PlannedFile& file) = 0;
  virtual void progress(int64_t bytes) = 0;  // of this file that are there
  virtual void end(const PlannedFile& file) = 0;
  virtual void note(const std::string& line) = 0;
};

// Loads what is missing. A file appears under its name when it is whole and right, the revision
// when all files are there. Throws Error; the same call then goes on where it was.
void run_pull(HubRequests& requests, const PullOptions& options, const PullPlan& plan,
              PullWatch& watch);

}  // namespace bifrons::hub
