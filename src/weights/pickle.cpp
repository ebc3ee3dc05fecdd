// Decoder for the opcodes of a pickle.
#include "src/weights/pickle.h"

#include <fmt/format.h>

#include "kernels/bytes.h"
#include "src/io/byte_source.h"
#include "src/weights/container.h"
#include "src/weights/pickle_machine.h"

namespace bifrons {
namespace {

constexpr size_t kMaxPickle = 16 << 20;     // bytes; the 7B model's pickle has 0.2 MB
constexpr int64_t kMaxOpcodes = 2'000'000;  // 7B: 0.04 million; this bounds the tables
constexpr size_t kMaxStack = 100'000;       // torch: a thousand items per SETITEMS
constexpr size_t kMaxLine = 256;

// Names of the 27 opcodes, as in Python's pickletools.
enum Opcode : uint8_t {
  kMark = '(',
  kEmptyTuple = ')',
  kStop = '.',
  kBinInt = 'J',
  kBinInt1 = 'K',
  kBinInt2 = 'M',
  kNone = 'N',
  kBinPersId = 'Q',
  kReduce = 'R',
  kBinUnicode = 'X',
  kBuild = 'b',
  kGlobal = 'c',
  kBinGet = 'h',
  kLongBinGet = 'j',
  kBinPut = 'q',
  kLongBinPut = 'r',
  kSetItem = 's',
  kTuple = 't',
  kSetItems = 'u',
  kEmptyDict = '}',
  kProto = 0x80,
  kTuple1 = 0x85,
  kTuple2 = 0x86,
  kTuple3 = 0x87,
  kNewTrue = 0x88,
  kNewFalse = 0x89,
  kLong1 = 0x8a,
};

}  // namespace

void PickleMachine::fail(std::string_view reason) const {
  refuse(where_, fmt::format("pickle at byte {}: {}", opcode_position_, reason));
}

std::string_view PickleMachine::take(size_t count) {
  if (count > bytes_.size() - position_) fail("is cut off");
  const std::string_view taken = bytes_.substr(position_, count);
  position_ += count;
  return taken;
}

uint64_t PickleMachine::take_number(size_t count) { return little_endian(take(count)); }

std::string_view PickleMachine::take_line() {
  const size_t end = bytes_.substr(position_, kMaxLine + 1).find('\n');
  if (end == std::string_view::npos) fail("has a name without end");
  const std::string_view line = take(end);
  take(1);
  return line;
}

void PickleMachine::push(Kind kind, int64_t number) {
  if (stack_.size() >= kMaxStack) fail("needs too large a stack");
  stack_.push_back({kind, number});
}

PickleValue PickleMachine::pop() {
  if (stack_.empty() || stack_.back().kind == Kind::kMark) fail("takes from an empty stack");
  const Value value = stack_.back();
  stack_.pop_back();
  return value;
}

PickleValue PickleMachine::pop(Kind kind, std::string_view wanted) {
  const Value value = pop();
  if (value.kind != kind) fail(fmt::format("needs {}", wanted));
  return value;
}

std::vector<PickleValue> PickleMachine::pop_to_mark() {
  size_t mark = stack_.size();
  while (mark > 0 && stack_[mark - 1].kind != Kind::kMark) --mark;
  if (mark == 0) fail("lacks a mark");
  std::vector<Value> items(stack_.begin() + static_cast<ptrdiff_t>(mark), stack_.end());
  stack_.resize(mark - 1);
  return items;
}

void PickleMachine::memoise(uint64_t slot) {
  const Value value = pop();
  stack_.push_back(value);
  if (!memo_.emplace(slot, value).second) fail(fmt::format("writes memo slot {} again", slot));
}

void PickleMachine::recall(uint64_t slot) {
  const auto at = memo_.find(slot);
  if (at == memo_.end()) fail(fmt::format("reads memo slot {}, which is empty", slot));
  push(at->second.kind, at->second.number);
}

bool PickleMachine::step() {
  opcode_position_ = position_;
  const auto code = static_cast<uint8_t>(take(1)[0]);
  switch (code) {
    case kProto:
      fail("has a second beginning");
    case kStop:
      return false;
    case kMark:
      push(Kind::kMark);
      break;
    case kNone:
      push(Kind::kNone);
      break;
    case kNewTrue:
      push(Kind::kBool, 1);
      break;
    case kNewFalse:
      push(Kind::kBool, 0);
      break;
    case kBinInt:
      push(Kind::kInteger, static_cast<int32_t>(take_number(4)));
      break;
    case kBinInt1:
      push(Kind::kInteger, static_cast<int64_t>(take_number(1)));
      break;
    case kBinInt2:
      push(Kind::kInteger, static_cast<int64_t>(take_number(2)));
      break;
    case kLong1:
      push_long();
      break;
    case kBinUnicode:
      push_string();
      break;
    case kGlobal:
      push_global();
      break;
    case kBinPersId:
      push_storage();
      break;
    case kReduce:
      reduce();
      break;
    case kBuild:
      build();
      break;
    case kEmptyDict:
      push_dict(false);
      break;
    case kEmptyTuple:
      push_tuple({});
      break;
    case kTuple:
      push_tuple(pop_to_mark());
      break;
    case kTuple1:
    case kTuple2:
    case kTuple3: {
      std::vector<Value> items(code - kTuple1 + 1u);
      for (size_t i = items.size(); i-- > 0;) items[i] = pop();
      push_tuple(items);
      break;
    }
    case kSetItem: {
      const Value value = pop();
      const Value name = pop();
      set_items({name, value});
      break;
    }
    case kSetItems:
      set_items(pop_to_mark());
      break;
    case kBinPut:
      memoise(take_number(1));
      break;
    case kLongBinPut:
      memoise(take_number(4));
      break;
    case kBinGet:
      recall(take_number(1));
      break;
    case kLongBinGet:
      recall(take_number(4));
      break;
    default:
      fail(fmt::format("instruction 0x{:02x} is not one that describes tensors", code));
  }
  return true;
}

PickledTensors PickleMachine::run() {
  if (bytes_.size() > kMaxPickle) {
    fail(fmt::format("has {} bytes; at most {} are read", bytes_.size(), kMaxPickle));
  }
  if (take(1)[0] != static_cast<char>(kProto) || take_number(1) != 2) {
    fail("is not of protocol 2; save it again with torch.save and its default protocol");
  }
  int64_t opcodes = 0;
  while (step()) {
    if (++opcodes > kMaxOpcodes) fail("has too many instructions");
  }
  if (position_ != bytes_.size()) fail("is followed by other bytes");
  const Value top = pop();
  if (!stack_.empty()) fail("leaves more than one value");
  return take_result(top);
}

PickledTensors read_pickle(std::string_view bytes, const std::string& where) {
  return PickleMachine(bytes, where).run();
}

}  // namespace bifrons
