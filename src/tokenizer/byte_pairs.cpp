// Byte pair encoding: the byte-level BPE model of a tokenizer file.
#include "src/tokenizer/byte_pairs.h"

#include <functional>
#include <queue>
#include <tuple>

namespace bifrons {
namespace {

constexpr int32_t kNoSymbol = -1;
constexpr int32_t kRemoved = -2;  // id of a symbol that was merged into its left neighbour

struct Symbol {
  int32_t id;
  int32_t previous;
  int32_t next;
};

// A merge that was possible when it was queued. It is checked again when it is taken from the
// queue.
struct Candidate {
  int32_t rank;
  int32_t position;
  int32_t merged;
  bool operator>(const Candidate& other) const {
    return std::tie(rank, position) > std::tie(other.rank, other.position);
  }
};

uint64_t pair_key(int32_t left, int32_t right) {
  return static_cast<uint64_t>(static_cast<uint32_t>(left)) << 32 | static_cast<uint32_t>(right);
}

}  // namespace

BytePairs::BytePairs(const ByteIds& byte_ids, size_t merges) : byte_ids_(byte_ids) {
  merges_.reserve(merges);
}

bool BytePairs::add(int32_t left, int32_t right, int32_t merged) {
  const auto rank = static_cast<int32_t>(merges_.size());
  return merges_.try_emplace(pair_key(left, right), Merge{rank, merged}).second;
}

const BytePairs::Merge* BytePairs::find(int32_t left, int32_t right) const {
  const auto found = merges_.find(pair_key(left, right));
  return found == merges_.end() ? nullptr : &found->second;
}

void BytePairs::encode(std::string_view piece, std::vector<int32_t>& ids) const {
  std::vector<Symbol> symbols;
  symbols.reserve(piece.size());
  for (const char byte : piece) {
    const int32_t id = byte_ids_[static_cast<uint8_t>(byte)];
    if (id == kNoSymbol) continue;
    const auto position = static_cast<int32_t>(symbols.size());
    symbols.push_back({id, position - 1, position + 1});
  }
  if (symbols.empty()) return;
  symbols.back().next = kNoSymbol;

  std::priority_queue<Candidate, std::vector<Candidate>, std::greater<>> queue;
  const auto offer = [&](int32_t position, int32_t next) {
    const Merge* merge = find(symbols[position].id, symbols[next].id);
    if (merge != nullptr) queue.push({merge->rank, position, merge->merged});
  };
  for (int32_t i = 0; symbols[i].next != kNoSymbol; ++i) offer(i, i + 1);

  while (!queue.empty()) {
    const Candidate top = queue.top();
    queue.pop();
    Symbol& left = symbols[top.position];
    if (left.id == kRemoved || left.next == kNoSymbol) continue;
    Symbol& right = symbols[left.next];
    const Merge* merge = find(left.id, right.id);
    // `tokenizers` compares the resulting id here and not the rank. This code does the same, so
    // both agree in every case.
    if (merge == nullptr || merge->merged != top.merged) continue;
    left.id = top.merged;
    left.next = right.next;
    right.id = kRemoved;
    if (left.next != kNoSymbol) symbols[left.next].previous = top.position;
    if (left.previous != kNoSymbol) offer(left.previous, top.position);
    if (left.next != kNoSymbol) offer(top.position, left.next);
  }
  for (int32_t i = 0; i != kNoSymbol; i = symbols[i].next) ids.push_back(symbols[i].id);
}

}  // namespace bifrons
