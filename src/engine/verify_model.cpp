// Verification of a model's files: published hashes, checksums in the files, numbers.
#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <thread>

#include "kernels/error.h"
#include "src/engine/model_files.h"
#include "src/io/directory.h"
#include "src/io/quote.h"
#include "src/weights/checkpoint.h"
#include "src/weights/finite.h"
#include "src/weights/published_hash.h"

namespace bifrons {
namespace {

constexpr int64_t kPiece = 4 << 20;
constexpr size_t kNamedTensors = 5;

class Verifier {
 public:
  Verifier(const std::string& path, const VerifyProgress& progress)
      : path_(path), directory_(Directory::open(path)), progress_(progress) {}

  Verification run() {
    try {
      checkpoint_.emplace(Checkpoint::open(path_));
      result_.quantisation = checkpoint_->quantisation();
      summarize_model(path_);
    } catch (const Error& error) {
      note(error);
    }
    const std::vector<std::string> names = chosen_files();
    count(names);
    for (const std::string& name : names) verify_file(name);
    if (checkpoint_) verify_numbers();
    return std::move(result_);
  }

 private:
  // Errors that are none of the files go on to the caller.
  static void pass_on(const Error& error) {
    if (error.kind() != ErrorKind::kData && error.kind() != ErrorKind::kMissing) throw error;
  }
  void note(const Error& error) {
    pass_on(error);
    if (result_.problems.empty()) result_.kind = error.kind();
    result_.problems.emplace_back(error.what());
  }

  void step(int64_t bytes) {
    done_ += bytes;
    if (progress_ && !progress_(done_, std::max(done_, total_))) {
      throw Error(ErrorKind::kInterrupted, "stopped");
    }
  }

  // The files with a published hash, and those of the weights.
  std::vector<std::string> chosen_files() const {
    std::set<std::string> names;
    for (const std::string& name : directory_.names()) {
      if (published_hash(path_, name)) names.insert(name);
    }
    if (checkpoint_) {
      for (const std::string& name : checkpoint_->files()) names.insert(name);
    }
    return {names.begin(), names.end()};
  }

  void count(const std::vector<std::string>& names) {
    for (const std::string& name : names) {
      try {
        if (published_hash(path_, name)) total_ += directory_.open_file(name).size();
      } catch (const Error&) {  // verify_file() reports it
        continue;
      }
    }
    if (!checkpoint_) return;
    for (const StoredTensor& tensor : checkpoint_->tensors()) total_ += tensor.bytes;
  }

  void verify_file(const std::string& name) {
    VerifiedFile file{name};
    try {
      const File opened = directory_.open_file(name);
      file.bytes = opened.size();
      if (const auto published = published_hash(path_, name)) {
        file.compared = name_of(published->kind);
        const std::string hex =
            hash_of(opened, published->kind, [this](int64_t bytes) { step(bytes); });
        if (hex != published->hex) {
          file.problem = fmt::format("its {} is {}, not {}: the file is damaged or was changed",
                                     file.compared, hex, published->hex);
        }
      } else if (name.ends_with(".bin")) {
        file.compared = "crc32";  // in the file itself, compared with the numbers
      }
    } catch (const Error& error) {
      pass_on(error);
      file.problem = error.what();
    }
    result_.files.push_back(std::move(file));
  }

  // The checksums in .bin files; a published hash makes them needless.
  void verify_stored_checksums() {
    const auto by_crc = [](const VerifiedFile& file) { return file.compared == "crc32"; };
    auto& files = result_.files;
    if (std::none_of(files.begin(), files.end(), by_crc)) return;
    try {
      checkpoint_->verify_checksums(static_cast<int>(std::thread::hardware_concurrency()));
    } catch (const Error& error) {
      // It stops at the first damaged file: nothing is known of the others.
      std::erase_if(files, by_crc);
      note(error);
    }
  }

  void verify_numbers() {
    try {
      verify_stored_checksums();
      size_t bad = 0;
      for (const StoredTensor& tensor : checkpoint_->tensors()) {
        ++result_.tensors;
        const auto at = first_bad(tensor);
        if (!at || ++bad > kNamedTensors) continue;
        result_.problems.push_back(
            fmt::format("tensor {}: number {} is not finite: the weights "
                        "are damaged",
                        quote(tensor.name), *at));
      }
      if (bad > kNamedTensors) {
        result_.problems.push_back(
            fmt::format("numbers of {} more tensors are not finite", bad - kNamedTensors));
      }
      checkpoint_->verify_unchanged();
    } catch (const Error& error) {
      note(error);
    }
  }

  // Reads all of the tensor up to the first number that is not finite.
  std::optional<int64_t> first_bad(const StoredTensor& tensor) {
    buffer_.resize(static_cast<size_t>(std::min(kPiece, tensor.bytes)));
    for (int64_t done = 0; done < tensor.bytes; done += kPiece) {
      const auto part =
          std::span(buffer_).first(static_cast<size_t>(std::min(kPiece, tensor.bytes - done)));
      checkpoint_->read(tensor, done, part);
      step(static_cast<int64_t>(part.size()));
      if (const auto at = first_not_finite(tensor.dtype, part)) {
        return done / size_of(tensor.dtype) + *at;
      }
    }
    return std::nullopt;
  }

  const std::string& path_;
  Directory directory_;
  const VerifyProgress& progress_;
  std::optional<Checkpoint> checkpoint_;
  std::vector<std::byte> buffer_;
  int64_t done_ = 0, total_ = 0;
  Verification result_;
};

}  // namespace

Verification verify_model(const std::string& directory, const VerifyProgress& progress) {
  return Verifier(directory, progress).run();
}

}  // namespace bifrons
