// The output directory of a batch: one writer, complete files, and a manifest of complete files.
//
// A picture is written to .bifrons/parts, synced and linked to its name. Then its directory is
// synced, and only then the manifest lists it. The part is removed last. So after a kill at any
// point an unlisted file of this program can be recognised: it has the same inode as its part.
#pragma once

#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "kernels/error.h"
#include "src/io/descriptor.h"
#include "src/store/manifest.h"

namespace bifrons {

enum class Resume {
  kTrust,   // a picture is done if it is listed and its file has the listed size
  kVerify,  // the file must also have the listed SHA-256
  kFresh,   // no picture is done: remove all listed pictures and start again
};

struct StoreOptions {
  std::string directory;          // is created if it does not exist
  int64_t shard = 0, shards = 1;  // each of several shards has its own manifest
  Resume resume = Resume::kTrust;
  bool overwrite = false;  // files of other programs may be replaced
  bool draws = true;       // false: a merge, which replaces the whole manifest
};

// Results of recovery and of reading the manifests, for a message to the user.
struct StoreHistory {
  int64_t listed = 0;         // pictures in the manifests
  int64_t damaged_lines = 0;  // removed from this writer's manifest
  bool torn_line = false;     // the last line was incomplete, as after a kill
  int64_t swept = 0;          // unfinished pictures that were removed
  int64_t removed = 0;        // pictures that kFresh removed
};

// Whether a picture must be drawn, and why.
enum class PictureState {
  kDone,
  kNew,
  kChanged,  // listed with other settings or with another model
  kDamaged,  // listed, but the file is missing or differs from its line
};

// All pictures in the manifests of a directory. Throws Error (interrupted) if `stop` is true.
ManifestIndex read_manifests(const std::string& directory, const std::function<bool()>& stop = {});

// The state of a picture whose manifest entry is `known` (nullptr: not listed). An empty
// wanted.model matches every model.
PictureState state_of_picture(const ManifestIndex::Known* known, const std::string& directory,
                              const ManifestEntry& wanted, Resume resume);

// The parts of a manifest line; see manifest_line().
struct Listing {
  ManifestEntry entry;
  std::string members;
};

// Store::add() throws it if the name is taken. Only this picture is affected.
class NameTaken : public Error {
 public:
  using Error::Error;
};

class Store {
 public:
  // Takes the lock, cleans up after a killed writer and reads the manifests. Throws Error (cannot
  // write) if another process writes to the directory, if the directory cannot be created or
  // written, or if its metadata.jsonl belongs to another program.
  explicit Store(StoreOptions options);
  Store(const Store&) = delete;
  Store& operator=(const Store&) = delete;
  ~Store();

  // Throws the constructor's errors, as far as they can be found without changes on disk. Callers
  // use it before long work.
  static void check_place(const StoreOptions& options);

  // The error of add() for that file name, as far as it is known before the picture exists. Empty:
  // none. `listed`: whether a manifest lists the name.
  static std::string fault_of_name(const StoreOptions& options, const std::string& file_name,
                                   bool listed);
  // Whether a file of that name exists that is not part of the batch.
  static std::string taken(const std::string& path);

  const StoreHistory& history() const { return history_; }
  PictureState state_of(const ManifestEntry& wanted) const;
  // Whether the manifests list an entry with that listing_of().
  bool lists(std::string_view listing) const;

  // Makes the picture durable, then lists it. `entry` needs file_name, model and key; `members` are
  // as in manifest_line(). Thread-safe. Throws Error (cannot write), and NameTaken if a file with
  // that name exists that is not part of the batch.
  void add(ManifestEntry entry, std::string_view members, std::span<const uint8_t> file);

  // Lists repeats of listed pictures. The entries are complete. Thread-safe.
  void list_again(std::span<const Listing> repeats);
  // Calls `each` with the lines of all manifests as they are on disk now. Superseded lines are left
  // out, as far as the checksums of the pictures identify them.
  void each_listed(
      const std::function<void(const ManifestEntry&, std::string_view row)>& each) const;

  // Appends an error to .bifrons/errors.jsonl, which every run clears at its start. `line` is a
  // JSON object. Thread-safe.
  void add_error(std::string_view line);
  std::string errors_path() const;

  // Removes superseded lines and writes a RunRecord: this writer's part is complete except for
  // `failed` pictures. `jobs` is the hash of the run's jobs. Called once, at the end of a run that
  // was not interrupted. Until then the record says unfinished.
  void finish(int64_t failed, const std::string& jobs = {});

  // The manifest to which this writer appends.
  std::string manifest_path() const;

 private:
  struct Target;
  void lock();
  void recover_manifest();
  [[noreturn]] static void refuse_other_manifest(const std::string& path);
  void sweep_parts();
  void begin_record();
  void read_other_manifests();
  void remove_listed();
  void write_part(const std::string& part, std::span<const uint8_t> file) const;
  void place(const Target& target, std::span<const uint8_t> file, bool replace) const;
  void check_still_there() const;
  void append(std::string_view line);
  int64_t drop_superseded();

  StoreOptions options_;
  std::string hidden_;  // <directory>/.bifrons
  std::string suffix_;  // "" or ".00003-of-00016"
  StoreHistory history_;
  ManifestIndex index_;
  UniqueFd shared_lock_, own_lock_, manifest_, errors_;
  int64_t manifest_bytes_ = 0;
  int64_t generation_ = 0;   // of the RunRecord
  bool superseded_ = false;  // a line of the manifest is out of date
  mutable std::mutex mutex_;
};

}  // namespace bifrons
