// Values that the opcodes of a pickle build: strings, tuples, dicts, storages, tensors.
#include "src/weights/pickle_machine.h"

#include <fmt/format.h>

#include <algorithm>
#include <unordered_set>

#include "src/io/quote.h"
#include "src/weights/container.h"

namespace bifrons {
namespace {

constexpr size_t kMaxString = 4096;  // bytes

struct StorageType {
  std::string_view name;
  int64_t element_bytes;
};

constexpr std::array<StorageType, 10> kStorageTypes{{
    {"DoubleStorage", 8},
    {"FloatStorage", 4},
    {"HalfStorage", 2},
    {"BFloat16Storage", 2},
    {"LongStorage", 8},
    {"IntStorage", 4},
    {"ShortStorage", 2},
    {"CharStorage", 1},
    {"ByteStorage", 1},
    {"BoolStorage", 1},
}};

// Globals as numbers: first the two functions, then the storage types.
constexpr int64_t kOrderedDict = 0;
constexpr int64_t kRebuildTensor = 1;
constexpr int64_t kFirstStorage = 2;

bool all_digits(std::string_view text) {
  return !text.empty() && text.size() <= 20 &&
         std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

}  // namespace

void PickleMachine::push_string() {
  const uint64_t length = take_number(4);
  if (length > kMaxString) fail(fmt::format("has a string of {} bytes", length));
  strings_.emplace_back(take(length));
  push(Kind::kString, static_cast<int64_t>(strings_.size() - 1));
}

void PickleMachine::push_long() {
  const size_t length = take_number(1);
  if (length > 8) fail("has an integer of more than 8 bytes");
  uint64_t value = take_number(length);
  const size_t bits = 8 * length;
  const bool negative = length > 0 && ((value >> (bits - 1)) & 1) != 0;
  if (negative && bits < 64) value |= ~uint64_t{0} << bits;
  push(Kind::kInteger, static_cast<int64_t>(value));
}

void PickleMachine::push_global() {
  const std::string_view module = take_line();
  const std::string_view name = take_line();
  if (module == "collections" && name == "OrderedDict") return push(Kind::kGlobal, kOrderedDict);
  if (module == "torch._utils" && name == "_rebuild_tensor_v2") {
    return push(Kind::kGlobal, kRebuildTensor);
  }
  const auto type = std::find_if(kStorageTypes.begin(), kStorageTypes.end(),
                                 [&](const StorageType& t) { return t.name == name; });
  if (module == "torch" && type != kStorageTypes.end()) {
    return push(Kind::kGlobal, kFirstStorage + (type - kStorageTypes.begin()));
  }
  fail(
      fmt::format("names {}, which plain weights do not need; nothing was run. Save the state_dict "
                  "again as plain tensors, or convert the model to safetensors",
                  quote(fmt::format("{}.{}", module, name), 80)));
}

void PickleMachine::push_tuple(const std::vector<Value>& items) {
  tuples_.push_back({tuple_items_.size(), items.size()});
  tuple_items_.insert(tuple_items_.end(), items.begin(), items.end());
  push(Kind::kTuple, static_cast<int64_t>(tuples_.size() - 1));
}

void PickleMachine::push_dict(bool ordered) {
  dicts_.push_back({ordered, {}});
  push(Kind::kDict, static_cast<int64_t>(dicts_.size() - 1));
}

const PickleMachine::Tuple& PickleMachine::tuple_of(const Value& value,
                                                    std::string_view what) const {
  if (value.kind != Kind::kTuple) fail(fmt::format("{} is not a tuple", what));
  return tuples_[static_cast<size_t>(value.number)];
}

int64_t PickleMachine::integer_of(const Value& value, std::string_view what) const {
  if (value.kind != Kind::kInteger) fail(fmt::format("{} is not an integer", what));
  if (value.number < 0 || value.number >= kSizeLimit) {
    fail(fmt::format("{} is {}, which is out of range", what, value.number));
  }
  return value.number;
}

std::vector<int64_t> PickleMachine::integers_of(const Value& value, std::string_view what) const {
  const Tuple& tuple = tuple_of(value, what);
  if (tuple.count > kMaxTensorRank) fail(fmt::format("{} has more than 8 dimensions", what));
  std::vector<int64_t> numbers;
  for (size_t i = 0; i < tuple.count; ++i) numbers.push_back(integer_of(item(tuple, i), what));
  return numbers;
}

// ('storage', torch.XStorage, key, location, elements). The location is a device, which is ignored.
void PickleMachine::push_storage() {
  const Value id = pop();
  const Tuple& tuple = tuple_of(id, "a persistent id");
  if (tuple.count != 5) fail("a persistent id has not five parts");
  const Value tag = item(tuple, 0);
  const Value type = item(tuple, 1);
  const Value key = item(tuple, 2);
  if (tag.kind != Kind::kString || strings_[static_cast<size_t>(tag.number)] != "storage" ||
      type.kind != Kind::kGlobal || type.number < kFirstStorage || key.kind != Kind::kString ||
      item(tuple, 3).kind != Kind::kString) {
    fail("a persistent id does not describe a storage");
  }
  const auto& storage_type = kStorageTypes[static_cast<size_t>(type.number - kFirstStorage)];
  PickledStorage storage{strings_[static_cast<size_t>(key.number)], std::string(storage_type.name),
                         storage_type.element_bytes, integer_of(item(tuple, 4), "storage size")};
  if (!all_digits(storage.key)) fail("a storage is not called by a number");
  const auto [at, is_new] = storage_of_key_.emplace(storage.key, storages_.size());
  if (is_new) {
    storages_.push_back(std::move(storage));
  } else if (storages_[at->second].type != storage.type ||
             storages_[at->second].elements != storage.elements) {
    fail(fmt::format("storage {} is described in two ways", storage.key));
  }
  push(Kind::kStorage, static_cast<int64_t>(at->second));
}

void PickleMachine::reduce() {
  const Tuple arguments = tuple_of(pop(), "the arguments of a call");
  const Value callee = pop(Kind::kGlobal, "a function to call");
  if (callee.number == kOrderedDict) {
    if (arguments.count != 0) fail("OrderedDict is given arguments");
    return push_dict(true);
  }
  if (callee.number != kRebuildTensor) fail("calls a storage type");
  rebuild_tensor(arguments);
}

// (storage, offset, size, stride, requires_grad, backward_hooks[, metadata])
void PickleMachine::rebuild_tensor(const Tuple& arguments) {
  if (arguments.count != 6 && arguments.count != 7) {
    fail("_rebuild_tensor_v2 has neither 6 nor 7 arguments");
  }
  if (item(arguments, 0).kind != Kind::kStorage) fail("a tensor has no storage");
  if (item(arguments, 4).kind != Kind::kBool || item(arguments, 5).kind != Kind::kDict) {
    fail("the arguments of _rebuild_tensor_v2 are of the wrong kind");
  }
  PickledTensor tensor;
  tensor.storage = static_cast<size_t>(item(arguments, 0).number);
  tensor.offset = integer_of(item(arguments, 1), "storage offset");
  tensor.shape = integers_of(item(arguments, 2), "size");
  tensor.strides = integers_of(item(arguments, 3), "stride");
  if (tensor.shape.size() != tensor.strides.size()) fail("size and stride differ in length");
  tensors_.push_back(std::move(tensor));
  push(Kind::kTensor, static_cast<int64_t>(tensors_.size() - 1));
}

void PickleMachine::set_items(const std::vector<Value>& items) {
  const Value target = pop(Kind::kDict, "a dict to set items of");
  if (items.size() % 2 != 0) fail("sets a name without a value");
  auto& held = dicts_[static_cast<size_t>(target.number)].items;
  for (size_t i = 0; i < items.size(); i += 2) {
    if (items[i].kind != Kind::kString) fail("a name is not a string");
    held.emplace_back(items[i].number, items[i + 1]);
  }
  push(target.kind, target.number);
}

// Torch only ever attaches {'_metadata': ...}, to the outer OrderedDict. It has no information
// about tensors.
void PickleMachine::build() {
  pop(Kind::kDict, "a dict of attributes");
  const Value target = pop(Kind::kDict, "an OrderedDict to give attributes to");
  if (!dicts_[static_cast<size_t>(target.number)].ordered) fail("gives attributes to a plain dict");
  push(target.kind, target.number);
}

PickledTensors PickleMachine::take_result(const Value& top) {
  if (top.kind != Kind::kDict) fail("does not hold a dict of tensors");
  PickledTensors result;
  std::unordered_set<std::string_view> names;
  for (const auto& [name_index, value] : dicts_[static_cast<size_t>(top.number)].items) {
    const std::string& name = strings_[static_cast<size_t>(name_index)];
    if (value.kind != Kind::kTensor) fail(fmt::format("{} is not a tensor", quote(name, 80)));
    if (!names.insert(name).second) fail(fmt::format("{} stands twice", quote(name, 80)));
    if (std::cmp_greater_equal(result.tensors.size(), kMaxTensors)) fail("has too many tensors");
    result.tensors.push_back({name, tensors_[static_cast<size_t>(value.number)]});
  }
  result.storages = std::move(storages_);
  return result;
}

}  // namespace bifrons
