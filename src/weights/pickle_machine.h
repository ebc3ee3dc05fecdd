// Stack machine of read_pickle(): values, memo, and the results of the three globals.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "src/weights/pickle.h"

namespace bifrons {

// A value is a number or an index into a table of the machine. Copying a value therefore costs the
// same for every kind, and a pickle cannot grow by referring to itself.
struct PickleValue {
  enum class Kind : uint8_t {
    kMark,
    kNone,
    kBool,
    kInteger,
    kString,
    kGlobal,
    kTuple,
    kDict,
    kStorage,
    kTensor
  };
  Kind kind = Kind::kNone;
  int64_t number = 0;
};

class PickleMachine {
 public:
  PickleMachine(std::string_view bytes, const std::string& where) : bytes_(bytes), where_(where) {}
  PickledTensors run();

 private:
  using Value = PickleValue;
  using Kind = PickleValue::Kind;
  struct Tuple {
    size_t begin = 0;  // in tuple_items_
    size_t count = 0;
  };
  struct Dict {
    bool ordered = false;
    std::vector<std::pair<int64_t, Value>> items;  // names are indices into strings_
  };

  // Input (pickle.cpp).
  [[noreturn]] void fail(std::string_view reason) const;
  std::string_view take(size_t count);
  uint64_t take_number(size_t count);  // little-endian
  std::string_view take_line();
  bool step();  // false after STOP

  // Stack and memo.
  void push(Kind kind, int64_t number = 0);
  Value pop();
  Value pop(Kind kind, std::string_view wanted);
  std::vector<Value> pop_to_mark();
  void memoise(uint64_t slot);
  void recall(uint64_t slot);

  // Opcodes that build a value (pickle_machine.cpp).
  void push_string();
  void push_long();
  void push_global();
  void push_tuple(const std::vector<Value>& items);
  void push_dict(bool ordered);
  void push_storage();
  void reduce();
  void rebuild_tensor(const Tuple& arguments);
  void set_items(const std::vector<Value>& items);
  void build();

  const Value& item(const Tuple& tuple, size_t i) const { return tuple_items_[tuple.begin + i]; }
  const Tuple& tuple_of(const Value& value, std::string_view what) const;
  int64_t integer_of(const Value& value, std::string_view what) const;
  std::vector<int64_t> integers_of(const Value& value, std::string_view what) const;
  PickledTensors take_result(const Value& top);

  std::string_view bytes_;
  const std::string& where_;
  size_t position_ = 0;
  size_t opcode_position_ = 0;  // where the current opcode begins
  std::vector<Value> stack_;
  std::unordered_map<uint64_t, Value> memo_;
  std::vector<std::string> strings_;
  std::vector<Value> tuple_items_;
  std::vector<Tuple> tuples_;
  std::vector<Dict> dicts_;
  std::vector<PickledStorage> storages_;
  std::unordered_map<std::string, size_t> storage_of_key_;
  std::vector<PickledTensor> tensors_;
};

}  // namespace bifrons
