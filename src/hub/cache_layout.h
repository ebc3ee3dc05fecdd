// The cache of the Hugging Face hub, as its own tools lay it out:
//   models--owner--name/blobs/<digest>                the bytes of a file
//   models--owner--name/blobs/<digest>.incomplete     the first part of it
//   models--owner--name/snapshots/<commit>/<path>     a relative link to the blob, or the file
//   itself models--owner--name/refs/<revision>               the commit, without a line end
//   .locks/models--owner--name/<digest>.lock          held while the blob is written
#pragma once

#include <filesystem>
#include <optional>
#include <string>

namespace bifrons::hub {

class CacheLayout {
 public:
  // `root`: the directory with the models; `id`: "owner/name", as is_model_id() has it.
  CacheLayout(std::filesystem::path root, const std::string& id);

  const std::filesystem::path& root() const { return root_; }
  std::filesystem::path repository() const { return root_ / folder_; }
  std::filesystem::path snapshot(const std::string& commit) const;
  std::filesystem::path blob(const std::string& digest) const;
  std::filesystem::path part(const std::string& digest) const;
  std::filesystem::path lock(const std::string& digest) const;
  std::filesystem::path reference(const std::string& revision) const;

  // The commit that a revision names: the revision itself if it is a commit, otherwise what its
  // file holds. nullopt if there is none, or if it is not a commit.
  std::optional<std::string> commit_of(const std::string& revision) const;

  // The snapshot of a revision if it is in the cache. It need not be whole.
  std::optional<std::filesystem::path> snapshot_of_revision(const std::string& revision) const;

  // Writes the file of a revision; nothing for a revision that is a commit. Throws Error (cannot
  // write).
  void write_reference(const std::string& revision, const std::string& commit) const;

  // Makes snapshots/<commit>/<path> a link to the blob, in place of whatever is there. False if
  // this file system has no links. Throws Error (cannot write).
  bool link_to_blob(const std::string& commit, const std::string& path,
                    const std::string& digest) const;

 private:
  std::filesystem::path root_;
  std::string folder_;
};

// "models--owner--name".
std::string repository_folder(const std::string& id);

// The target of the link at snapshots/<commit>/<path>: "../../blobs/<digest>", with one more "../"
// for each directory in `path`.
std::string link_target(const std::string& path, const std::string& digest);

}  // namespace bifrons::hub
