// The directory that a batch writes to: one writer, complete files, a manifest of complete files.
//
// A picture is written to .bifrons/parts, synced and linked to its name; then its directory is
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
  kTrust,   // done is what the manifest lists and has the listed size
  kVerify,  // and the listed SHA-256
  kFresh,   // nothing: remove what the manifest lists and begin again
};

struct StoreOptions {
  std::string directory;          // made when it is not there
  int64_t shard = 0, shards = 1;  // with more than one, each has a manifest of its own
  Resume resume = Resume::kTrust;
  bool overwrite = false;  // files of other programs may be replaced
  bool draws = true;       // false: a merge, which replaces the whole manifest itself
};

// Results of recovery and of reading the manifests, for a message to the user.
struct StoreHistory {
  int64_t listed = 0;         // pictures the manifests list
  int64_t damaged_lines = 0;  // dropped from this writer's manifest
  bool torn_line = false;     // the last line was incomplete, as after a kill
  int64_t swept = 0;          // unfinished pictures removed
  int64_t removed = 0;        // pictures removed because of kFresh
};

// Whether and why a picture has to be drawn.
enum class PictureState {
  kDone,
  kNew,
  kChanged,  // listed with other settings or another model
  kDamaged,  // listed, but the file is gone or not what was listed
};

// All pictures that the manifests of a directory list. Throws Error (interrupted) when `stop` is
// true.
ManifestIndex read_manifests(const std::string& directory, const std::function<bool()>& stop = {});

// The state of a picture for which `known` is listed (nullptr: nothing). An empty wanted.model
// stands for every model.
PictureState state_of_picture(const ManifestIndex::Known* known, const std::string& directory,
                              const ManifestEntry& wanted, Resume resume);

// The parts of a line of a manifest: manifest_line().
struct Listing {
  ManifestEntry entry;
  std::string members;
};

// Thrown by Store::add() when the name is taken. Only this picture is affected.
class NameTaken : public Error {
 public:
  using Error::Error;
};

class Store {
 public:
  // Takes the lock, cleans up after a killed writer and reads the manifests. Throws Error (cannot
  // write): another process writes there, the directory cannot be made or written, its
  // metadata.jsonl is not of this program.
  explicit Store(StoreOptions options);
  Store(const Store&) = delete;
  Store& operator=(const Store&) = delete;
  ~Store();

  // Throws what the constructor would throw, as far as it can be found without changing anything.
  // Callers use it before long work.
  static void check_place(const StoreOptions& options);

  // What add() would refuse that file name with, as far as it is known before the picture is there;
  // empty when it would not. `listed`: whether a manifest lists the name.
  static std::string fault_of_name(const StoreOptions& options, const std::string& file_name,
                                   bool listed);
  // The file of that name exists and is not of the batch.
  static std::string taken(const std::string& path);

  const StoreHistory& history() const { return history_; }
  PictureState state_of(const ManifestEntry& wanted) const;
  // Whether the manifests hold that listing_of() an entry.
  bool lists(std::string_view listing) const;

  // Makes the picture durable, then lists it. `entry` needs file_name, model and key; `members` are
  // as in manifest_line(). Any thread. Throws Error (cannot write); NameTaken when a file of that
  // name is there that is not from here.
  void add(ManifestEntry entry, std::string_view members, std::span<const uint8_t> file);

  // Lists pictures that are listed already once more: the entries are complete, repeats. Any
  // thread.
  void list_again(std::span<const Listing> repeats);
  // Calls `each` with the lines of all manifests as they are now on disk, superseded ones left out
  // as far as their pictures' files show it.
  void each_listed(
      const std::function<void(const ManifestEntry&, std::string_view row)>& each) const;

  // Notes what could not be drawn in .bifrons/errors.jsonl, which starts empty with every run.
  // `line` is a JSON object. Any thread.
  void add_error(std::string_view line);
  std::string errors_path() const;

  // Drops superseded lines and leaves a RunRecord, which says that this writer's part is complete
  // but for `failed` pictures; `jobs` is its hash of what was to be drawn. Called once, at the end
  // of a run that was not broken off. Until then, from the beginning, the record says unfinished.
  void finish(int64_t failed, const std::string& jobs = {});

  // The manifest this writer appends to.
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
  bool superseded_ = false;  // a line of the manifest has become wrong
  mutable std::mutex mutex_;
};

}  // namespace bifrons
