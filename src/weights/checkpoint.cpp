// The tensors of a model directory, independent of container format and naming scheme.
#include "src/weights/checkpoint.h"

#include <fmt/format.h>
#include <zlib.h>

#include <algorithm>
#include <atomic>
#include <future>
#include <new>
#include <optional>
#include <system_error>

#include "kernels/error.h"
#include "src/io/directory.h"
#include "src/io/quote.h"
#include "src/weights/container.h"
#include "src/weights/packed_tensors.h"
#include "src/weights/permute.h"
#include "src/weights/safetensors.h"
#include "src/weights/shards.h"
#include "src/weights/torch_file.h"

namespace bifrons {

struct Checkpoint::State {
  struct Origin {
    size_t file = 0;
    int64_t offset = 0;              // in this file
    std::optional<size_t> copy;      // index into copies, which replaces the bytes in the file
    std::optional<size_t> packed{};  // index into packed: the bytes are computed
  };

  std::string directory;
  std::vector<std::string> names;  // of files
  std::vector<File> files;
  std::vector<std::vector<Checksum>> checksums;  // per file
  std::vector<StoredTensor> tensors;             // sorted by name
  std::vector<Origin> origins;                   // per tensor
  std::vector<SkippedTensor> skipped;            // sorted by name
  std::vector<Origin> skipped_origins;           // per skipped tensor
  std::vector<std::vector<std::byte>> copies;    // tensors whose strides were permuted
  std::string quantisation;
  std::vector<PackedTensor> packed;

  const Origin& origin(const StoredTensor& tensor) const;
  void add(size_t file, const TensorEntry& entry, int64_t& copied_bytes);
  void add_packed(std::vector<PackedTensor> found);
  void read_packed(const PackedTensor& tensor, int64_t offset, std::span<std::byte> out) const;
};

namespace {

// All tensors of all files, sorted by name. Throws Error (data) for a duplicate name.
std::vector<FoundTensor> gather(const std::vector<File>& files,
                                std::vector<Container>& containers) {
  std::vector<FoundTensor> all;
  for (size_t f = 0; f < containers.size(); ++f) {
    for (TensorEntry& entry : containers[f].tensors) all.push_back({f, std::move(entry)});
  }
  std::sort(all.begin(), all.end(),
            [](const FoundTensor& a, const FoundTensor& b) { return a.entry.name < b.entry.name; });
  const auto twice = std::adjacent_find(
      all.begin(), all.end(),
      [](const FoundTensor& a, const FoundTensor& b) { return a.entry.name == b.entry.name; });
  if (twice != all.end()) {
    refuse(files[twice->file].name(),
           fmt::format("tensor {} is also in another file", quote(twice->entry.name)));
  }
  return all;
}

// The index and the files must list the same tensors; both directions are checked.
void compare_with_index(const WeightFiles& weights, const std::vector<FoundTensor>& all) {
  if (weights.index_name.empty()) return;
  size_t i = 0;
  for (const auto& [tensor, file] : weights.index) {
    if (i == all.size() || tensor < all[i].entry.name) {
      refuse(weights.index_name, fmt::format("tensor {} is in none of the files", quote(tensor)));
    }
    if (all[i].entry.name < tensor) break;
    if (all[i].file != file) {
      refuse(weights.index_name, fmt::format("tensor {} is not in {} but in {}", quote(tensor),
                                             weights.files[file], weights.files[all[i].file]));
    }
    ++i;
  }
  if (i < all.size()) {
    refuse(weights.index_name, fmt::format("does not name tensor {} of {}",
                                           quote(all[i].entry.name), weights.files[all[i].file]));
  }
}

void verify_checksum(const File& file, const Checksum& sum) {
  constexpr int64_t kPiece = 1 << 20;
  std::vector<std::byte> piece(static_cast<size_t>(std::min(kPiece, sum.bytes)));
  uLong crc = crc32(0, nullptr, 0);
  for (int64_t done = 0; done < sum.bytes; done += kPiece) {
    const auto part = std::span(piece).first(std::min(kPiece, sum.bytes - done));
    file.read(sum.offset + done, part);
    crc = crc32(crc, reinterpret_cast<const Bytef*>(part.data()), static_cast<uInt>(part.size()));
  }
  if (crc == sum.crc32) return;
  refuse(file.name(), fmt::format("the checksum of {} is wrong; the file is damaged, download it "
                                  "again",
                                  quote(sum.name)));
}

}  // namespace

const Checkpoint::State::Origin& Checkpoint::State::origin(const StoredTensor& tensor) const {
  check(&tensor >= tensors.data() && &tensor < tensors.data() + tensors.size(),
        "checkpoint: a tensor that is not of this checkpoint");
  return origins[static_cast<size_t>(&tensor - tensors.data())];
}

// `copied_bytes`: bytes copied from this file so far. More than the file size means that permuted
// tensors share a storage; a hostile file could fill the memory that way.
void Checkpoint::State::add(size_t file, const TensorEntry& entry, int64_t& copied_bytes) {
  if (!entry.dtype) {
    skipped.push_back(
        {entry.name, entry.stored_type, entry.shape, entry.strides.empty() ? entry.bytes : 0});
    skipped_origins.push_back({file, entry.offset, std::nullopt});
    return;
  }
  std::optional<size_t> copy;
  if (!entry.strides.empty()) {
    copied_bytes += entry.bytes;
    if (copied_bytes > files[file].size()) {
      refuse(files[file].name(),
             fmt::format("tensor {}: permuted tensors share their storage", quote(entry.name)));
    }
    std::vector<std::byte> raw(static_cast<size_t>(entry.bytes));
    files[file].read(entry.offset, raw);
    copy = copies.size();
    copies.push_back(to_contiguous(raw, entry.shape, entry.strides, size_of(*entry.dtype)));
  }
  tensors.push_back({entry.name, *entry.dtype, entry.shape, entry.bytes});
  origins.push_back({file, entry.offset, copy});
}

// Adds the matrices that packed tensors stand for, as if they were stored.
void Checkpoint::State::add_packed(std::vector<PackedTensor> found) {
  packed = std::move(found);
  for (size_t i = 0; i < packed.size(); ++i) {
    const MlxMatrix& m = packed[i].matrix;
    const auto bytes = product_within_limit(m.rows * m.columns, size_of(m.dtype));
    if (!bytes)
      refuse(quote(directory), fmt::format("tensor {} is too large", quote(packed[i].name)));
    const auto at = std::lower_bound(
        tensors.begin(), tensors.end(), packed[i].name,
        [](const StoredTensor& t, const std::string& name) { return t.name < name; });
    origins.insert(origins.begin() + (at - tensors.begin()), {.packed = i});
    tensors.insert(at, {packed[i].name, m.dtype, {m.rows, m.columns}, *bytes});
  }
}

// Reads and dequantises whole rows, some at a time, and copies what is wanted of them.
void Checkpoint::State::read_packed(const PackedTensor& tensor, int64_t offset,
                                    std::span<std::byte> out) const {
  constexpr int64_t kPiece = 1 << 20;  // bytes of words
  const MlxMatrix& m = tensor.matrix;
  const int64_t row_bytes = m.columns * size_of(m.dtype), end = offset + std::ssize(out);
  if (out.empty()) return;
  const int64_t word_bytes = 4 * m.words(), group_bytes = m.groups() * size_of(m.dtype);
  const int64_t some = std::max<int64_t>(1, kPiece / word_bytes);
  std::vector<std::byte> words, scales, biases, rows;
  const auto fetch = [&](std::vector<std::byte>& bytes, const FoundTensor& part, int64_t each,
                         int64_t row, int64_t count) {
    bytes.resize(static_cast<size_t>(each * count));
    files[part.file].read(part.entry.offset + row * each, bytes);
  };
  for (int64_t row = offset / row_bytes; row * row_bytes < end; row += some) {
    const int64_t last = (end + row_bytes - 1) / row_bytes, count = std::min(some, last - row);
    fetch(words, tensor.words, word_bytes, row, count);
    fetch(scales, tensor.scales, group_bytes, row, count);
    fetch(biases, tensor.biases, group_bytes, row, count);
    const int64_t first = row * row_bytes, from = std::max(first, offset),
                  to = std::min(first + count * row_bytes, end);
    const bool whole = to - from == count * row_bytes;
    if (!whole) rows.resize(static_cast<size_t>(count * row_bytes));
    const std::span<std::byte> wanted =
        out.subspan(static_cast<size_t>(from - offset), static_cast<size_t>(to - from));
    const auto bad = dequantise(m, words, scales, biases, whole ? wanted : std::span(rows));
    if (bad) {
      refuse(quote(directory),
             fmt::format("tensor {}: row {} has a scale or a bias that is not finite or "
                         "too large: the weights are damaged",
                         quote(tensor.name), row + *bad / m.groups()));
    }
    if (!whole) std::copy_n(rows.begin() + (from - first), wanted.size(), wanted.begin());
  }
}

Checkpoint Checkpoint::open(const std::string& directory_path) {
  try {
    const Directory directory = Directory::open(directory_path);
    const WeightFiles weights = find_weight_files(directory);
    auto state = std::make_unique<State>();
    state->directory = directory_path;
    state->names = weights.files;
    std::vector<Container> containers;
    for (const std::string& name : weights.files) {
      state->files.push_back(directory.open_file(name));
      const File& file = state->files.back();
      containers.push_back(weights.format == ContainerFormat::kSafetensors ? read_safetensors(file)
                                                                           : read_torch_file(file));
      state->checksums.push_back(std::move(containers.back().checksums));
    }
    std::vector<FoundTensor> all = gather(state->files, containers);
    compare_with_index(weights, all);
    std::vector<PackedTensor> packed;
    if (const auto quantization = read_mlx_quantization(directory)) {
      packed = take_packed_tensors(all, *quantization, directory_path);
      state->quantisation = quantization->name();
    }
    std::vector<int64_t> copied_bytes(weights.files.size(), 0);
    for (const FoundTensor& found : all)
      state->add(found.file, found.entry, copied_bytes[found.file]);
    state->add_packed(std::move(packed));
    state->origins.shrink_to_fit();
    return Checkpoint(std::move(state));
  } catch (const std::bad_alloc&) {
    throw Error(ErrorKind::kUnavailable,
                fmt::format("{}: not enough memory to read it", quote(directory_path)));
  }
}

Checkpoint::Checkpoint(std::unique_ptr<State> state) : state_(std::move(state)) {}
Checkpoint::Checkpoint(Checkpoint&&) noexcept = default;
Checkpoint& Checkpoint::operator=(Checkpoint&&) noexcept = default;
Checkpoint::~Checkpoint() = default;

std::span<const StoredTensor> Checkpoint::tensors() const { return state_->tensors; }
std::span<const SkippedTensor> Checkpoint::skipped() const { return state_->skipped; }
const std::string& Checkpoint::quantisation() const { return state_->quantisation; }
const std::string& Checkpoint::directory() const { return state_->directory; }
std::vector<std::string> Checkpoint::files() const { return state_->names; }

namespace {

// In a list that is sorted by name; nullptr if it is not there.
template <typename Tensor>
const Tensor* find_in(const std::vector<Tensor>& tensors, std::string_view name) {
  const auto at =
      std::lower_bound(tensors.begin(), tensors.end(), name,
                       [](const Tensor& t, std::string_view wanted) { return t.name < wanted; });
  return at == tensors.end() || at->name != name ? nullptr : &*at;
}

}  // namespace

const StoredTensor* Checkpoint::find(std::string_view name) const {
  return find_in(state_->tensors, name);
}

const SkippedTensor* Checkpoint::find_skipped(std::string_view name) const {
  return find_in(state_->skipped, name);
}

void Checkpoint::read(const SkippedTensor& tensor, int64_t offset,
                      std::span<std::byte> destination) const {
  const auto wanted = static_cast<int64_t>(destination.size());
  const int64_t index = &tensor - state_->skipped.data();
  check(index >= 0 && index < static_cast<int64_t>(state_->skipped.size()),
        "checkpoint: a tensor that is not of this checkpoint");
  check(offset >= 0 && offset <= tensor.bytes && wanted <= tensor.bytes - offset,
        "checkpoint: read outside of the tensor");
  const State::Origin& origin = state_->skipped_origins[static_cast<size_t>(index)];
  state_->files[origin.file].read(origin.offset + offset, destination);
}

void Checkpoint::read(const StoredTensor& tensor, int64_t offset,
                      std::span<std::byte> destination) const {
  const State::Origin& origin = state_->origin(tensor);
  const auto wanted = static_cast<int64_t>(destination.size());
  check(offset >= 0 && offset <= tensor.bytes && wanted <= tensor.bytes - offset,
        "checkpoint: read outside of the tensor");
  if (origin.packed) {
    state_->read_packed(state_->packed[*origin.packed], offset, destination);
  } else if (origin.copy) {
    std::copy_n(state_->copies[*origin.copy].begin() + offset, destination.size(),
                destination.begin());
  } else {
    state_->files[origin.file].read(origin.offset + offset, destination);
  }
}

void Checkpoint::verify_unchanged() const {
  for (const File& file : state_->files) file.verify_unchanged();
}

int64_t Checkpoint::verify_checksums(int threads) const {
  std::vector<std::pair<const File*, const Checksum*>> all;
  for (size_t f = 0; f < state_->files.size(); ++f) {
    for (const Checksum& sum : state_->checksums[f]) all.emplace_back(&state_->files[f], &sum);
  }
  std::atomic<size_t> next{0};
  const auto work = [&] {
    for (size_t i = next++; i < all.size(); i = next++)
      verify_checksum(*all[i].first, *all[i].second);
  };
  // A future rethrows the exception of its thread. The destructors of the remaining futures wait
  // for their threads.
  std::vector<std::future<void>> others;
  try {
    for (size_t i = 1; i < std::min<size_t>(std::max(threads, 1), all.size()); ++i) {
      others.push_back(std::async(std::launch::async, work));
    }
  } catch (const std::system_error&) {  // no further thread available: the existing ones do all
  }
  work();
  for (std::future<void>& other : others) other.get();
  return static_cast<int64_t>(all.size());
}

}  // namespace bifrons
