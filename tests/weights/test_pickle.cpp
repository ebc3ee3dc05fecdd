// Pickle reader: accepts 27 opcodes and three globals, and nothing else.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <set>

#include "src/weights/pickle.h"
#include "tests/weights/cpu_time.h"
#include "tests/weights/expect_error.h"
#include "tests/weights/file_writers.h"

namespace bifrons {
namespace {

using testing::expect_contains;
using testing::little_endian;
using testing::refusal_of;
using namespace testing::pickle;

const std::string kOrderedDict = global("collections", "OrderedDict") + ")R";

PickledTensors unpickle(const std::string& bytes) { return read_pickle(bytes, "\"f\""); }

std::string pickle_refusal(const std::string& bytes) {
  return refusal_of([&] { unpickle(bytes); });
}

std::string body(const std::string& instructions) { return "\x80\x02" + instructions + "."; }

std::string good_tensor() { return tensor(storage("FloatStorage", "0", 6), 1, {2, 2}, {2, 1}); }

TEST(Pickle, ReadsTensors) {
  const PickledTensors result = unpickle(dict({{"a", good_tensor()}, {"b", good_tensor()}}));
  ASSERT_EQ(result.tensors.size(), 2u);
  ASSERT_EQ(result.storages.size(), 1u);
  EXPECT_EQ(result.storages[0].key, "0");
  EXPECT_EQ(result.storages[0].elements, 6);
  EXPECT_EQ(result.storages[0].element_bytes, 4);
  EXPECT_EQ(result.tensors[1].name, "b");
  EXPECT_EQ(result.tensors[1].tensor.offset, 1);
  EXPECT_EQ(result.tensors[1].tensor.shape, (std::vector<int64_t>{2, 2}));
}

TEST(Pickle, ReadsAllOpcodes) {
  // An OrderedDict with attributes, built item by item.
  const std::string metadata = "}" + text("_metadata") + kOrderedDict + "sb";
  const std::string ordered = kOrderedDict + "q\x05" + text("a") + good_tensor() + "s" + metadata;
  EXPECT_EQ(unpickle(body(ordered)).tensors.size(), 1u);
  // Both widths of memo indices, tuples of one to three items, LONG1, NEWTRUE, NONE as an
  // attribute.
  const std::string zero("K\0", 2);
  const std::string rebuild = global("torch._utils", "_rebuild_tensor_v2");
  const std::string four = "\x8a\x01\x04";
  const std::string wide = "}" + text("a") + rebuild + "(" + storage("HalfStorage", "7", 4) + "r" +
                           little_endian(1000, 4) + zero + four + "\x85" + integer(1) + "\x85" +
                           "\x88" + kOrderedDict + "}tRs" + text("b") + rebuild + "(j" +
                           little_endian(1000, 4) + zero + integer(2) + integer(2) + "\x86" +
                           integer(2) + integer(1) + "\x86\x89}tRs" + text("c") + rebuild + "(j" +
                           little_endian(1000, 4) + zero + integer(1) + integer(2) + integer(2) +
                           "\x87(" + four + integer(2) + integer(1) + "t\x89}tRs";
  expect_contains(pickle_refusal(body(wide + "0")),
                  "instruction 0x30");  // POP is not one of the 27
  const PickledTensors result = unpickle(body(wide));
  ASSERT_EQ(result.tensors.size(), 3u);
  EXPECT_EQ(result.storages.size(), 1u);
  EXPECT_EQ(result.tensors[0].tensor.shape, std::vector<int64_t>{4});
  EXPECT_EQ(result.tensors[2].tensor.strides, (std::vector<int64_t>{4, 2, 1}));
}

TEST(Pickle, AcceptsExactly27Opcodes) {
  const std::set<int> known{'(', ')', '.',  'J',  'K',  'M',  'N',  'Q',  'R',
                            'X', 'b', 'c',  'h',  'j',  'q',  'r',  's',  't',
                            'u', '}', 0x80, 0x85, 0x86, 0x87, 0x88, 0x89, 0x8a};
  ASSERT_EQ(known.size(), 27u);
  for (int code = 0; code < 256; ++code) {
    const std::string said = pickle_refusal(body(std::string(1, static_cast<char>(code)) + "N"));
    const bool unknown = said.find("is not one that describes tensors") != std::string::npos;
    EXPECT_EQ(unknown, !known.contains(code)) << code;
  }
}

TEST(Pickle, RefusesOtherGlobals) {
  for (const char* module :
       {"os", "posix", "builtins", "torch", "torch._utils", "collections", ""}) {
    for (const char* name :
         {"system", "eval", "_rebuild_parameter", "UntypedStorage", "Counter", ""}) {
      const std::string said = pickle_refusal(body(global(module, name) + ")R"));
      expect_contains(said, fmt::format("names \"{}.{}\"", module, name));
      expect_contains(said, "nothing was run");
    }
  }
  expect_contains(pickle_refusal(body("cos\x1b[2J\nsystem\n")), R"("os\x1b[2J.system")");
  expect_contains(pickle_refusal(body("c" + std::string(1000, 'a'))), "name without end");
  expect_contains(pickle_refusal(body("cos\nsystem")), "name without end");
  expect_contains(pickle_refusal(body(global("torch", "FloatStorage") + ")R")),
                  "calls a storage type");
  expect_contains(pickle_refusal(body(kOrderedDict + ")R")), "needs a function to call");
  expect_contains(pickle_refusal(body(global("collections", "OrderedDict") + integer(1) + "\x85R")),
                  "is given arguments");
}

TEST(Pickle, RefusesFrames) {
  expect_contains(pickle_refusal(""), "cut off");
  expect_contains(pickle_refusal("\x80"), "cut off");
  expect_contains(pickle_refusal("\x80\x03}."), "protocol 2");
  expect_contains(pickle_refusal("}."), "protocol 2");
  expect_contains(pickle_refusal("\x80\x02}"), "cut off");
  expect_contains(pickle_refusal("\x80\x02.}"), "followed by other bytes");
  expect_contains(pickle_refusal(body("")), "empty stack");
  expect_contains(pickle_refusal(body("}}")), "more than one value");
  expect_contains(pickle_refusal(body("(")), "empty stack");
  expect_contains(pickle_refusal(body("(}")), "more than one value");
  expect_contains(pickle_refusal(body("K\x01")), "does not hold a dict of tensors");
  expect_contains(pickle_refusal(body("\x80\x02}")), "second beginning");
  expect_contains(pickle_refusal(std::string((16 << 20) + 1, '}')), "at most");
}

TEST(Pickle, RefusesStackMistakes) {
  expect_contains(pickle_refusal(body("t")), "lacks a mark");
  expect_contains(pickle_refusal(body("u")), "lacks a mark");
  expect_contains(pickle_refusal(body("(u")), "empty stack");
  expect_contains(pickle_refusal(body("}(" + text("a") + "u")), "name without a value");
  expect_contains(pickle_refusal(body("}(K\x01K\x01u")), "a name is not a string");
  expect_contains(pickle_refusal(body("}(}(u")), "more than one value");
  expect_contains(pickle_refusal(body("(q\x01")), "empty stack");
  expect_contains(pickle_refusal(body("h\x01")), "slot 1, which is empty");
  expect_contains(pickle_refusal(body("}q\x01q\x01")), "slot 1 again");
  expect_contains(pickle_refusal(body(")" + text("a") + "Ns")), "a dict to set items of");
  expect_contains(pickle_refusal(body(good_tensor() + text("a") + "Ns")), "a dict to set items of");
  expect_contains(pickle_refusal(body(good_tensor() + "}b")),
                  "an OrderedDict to give attributes to");
  expect_contains(pickle_refusal(body("}}b")), "attributes to a plain dict");
  expect_contains(pickle_refusal(body(kOrderedDict + ")b")), "a dict of attributes");
  expect_contains(pickle_refusal(body("R")), "empty stack");
  expect_contains(pickle_refusal(body("K\x01Q")), "not a tuple");
}

TEST(Pickle, RefusesContents) {
  expect_contains(pickle_refusal(dict({{"a", good_tensor()}, {"a", good_tensor()}})),
                  "stands twice");
  expect_contains(pickle_refusal(dict({{"a", integer(1)}})), "is not a tensor");
  expect_contains(pickle_refusal(dict({{"a", "}"}})), "is not a tensor");
  expect_contains(pickle_refusal(body(text(std::string(5000, 'a')))), "a string of 5000 bytes");
  expect_contains(pickle_refusal("\x80\x02X\xff\xff\xff\xff"
                                 "a"),
                  "a string of 4294967295");
  expect_contains(pickle_refusal("\x80\x02X\x09" + std::string(3, '\0') + "a"), "cut off");
  expect_contains(pickle_refusal(body("\x8a\x09" + std::string(9, 'x'))), "more than 8 bytes");
}

TEST(Pickle, RefusesStorages) {
  const auto id = [](const std::string& tag, const std::string& type, const std::string& key,
                     const std::string& place, const std::string& elements) {
    return pickle_refusal(body("(" + tag + type + key + place + elements + "tQ"));
  };
  const std::string type = global("torch", "FloatStorage");
  const std::string five = integer(5);
  id(text("module"), type, text("0"), text("cpu"), five);
  id(five, type, text("0"), text("cpu"), five);
  id(text("storage"), kOrderedDict, text("0"), text("cpu"), five);
  id(text("storage"), global("torch._utils", "_rebuild_tensor_v2"), text("0"), text("cpu"), five);
  id(text("storage"), type, five, text("cpu"), five);
  id(text("storage"), type, text("0"), five, five);
  id(text("storage"), type, text("0"), text("cpu"), text("5"));
  id(text("storage"), type, text("0"), text("cpu"), "\x88");
  id(text("storage"), type, text("0"), text("cpu"), five + five);
  for (const char* key : {"", "a", "../0", "0/1", "-1", "0 ", "123456789012345678901"}) {
    expect_contains(id(text("storage"), type, text(key), text("cpu"), five), "called by a number");
  }
  for (const int64_t n : {int64_t{-1}, INT64_MIN, int64_t{1} << 48, int64_t{1} << 62, INT64_MAX}) {
    expect_contains(id(text("storage"), type, text("0"), text("cpu"), integer(n)), "out of range");
  }
  expect_contains(
      pickle_refusal(body("(" + storage("FloatStorage", "0", 6) + storage("FloatStorage", "0", 7))),
      "described in two ways");
  expect_contains(
      pickle_refusal(body("(" + storage("FloatStorage", "0", 6) + storage("HalfStorage", "0", 6))),
      "described in two ways");
}

TEST(Pickle, RefusesTensorArguments) {
  const std::string rebuild = global("torch._utils", "_rebuild_tensor_v2");
  const std::string data = storage("FloatStorage", "0", 6);
  const std::string end = "\x89}tR";
  for (const int64_t n : {int64_t{-1}, INT64_MIN, int64_t{1} << 48, int64_t{1} << 62, INT64_MAX}) {
    expect_contains(
        pickle_refusal(body(rebuild + "(" + data + integer(n) + tuple({2}) + tuple({1}) + end)),
        "out of range");
    expect_contains(
        pickle_refusal(body(rebuild + "(" + data + integer(0) + tuple({n}) + tuple({1}) + end)),
        "out of range");
    expect_contains(
        pickle_refusal(body(rebuild + "(" + data + integer(0) + tuple({2}) + tuple({n}) + end)),
        "out of range");
  }
  expect_contains(pickle_refusal(body(tensor(data, 0, {2, 2}, {1}))), "differ in length");
  expect_contains(pickle_refusal(body(tensor(data, 0, {1, 1, 1, 1, 1, 1, 1, 1, 1}, {1}))),
                  "8 dimensions");
  expect_contains(pickle_refusal(body(tensor(integer(0), 0, {1}, {1}))), "no storage");
  expect_contains(pickle_refusal(body(rebuild + ")R")), "6 nor 7 arguments");
  expect_contains(
      pickle_refusal(body(rebuild + "(" + data + integer(0) + integer(2) + tuple({1}) + end)),
      "size is not a tuple");
  expect_contains(
      pickle_refusal(body(rebuild + "(" + data + integer(0) + tuple({1}) + tuple({1}) + "N}tR")),
      "wrong kind");
  expect_contains(
      pickle_refusal(body(rebuild + "(" + data + integer(0) + tuple({1}) + tuple({1}) + "\x89NtR")),
      "wrong kind");
}

double seconds_of(const std::string& bytes) {
  return testing::cpu_seconds_of([&] { pickle_refusal(bytes); });
}

TEST(Pickle, MemoryIsLinearInTheBytes) {
  // Each step would double the value before it, if values were copied.
  std::string doubling = "\x80\x02)q";
  doubling += '\0';
  for (int i = 0; i < 200; ++i) {
    doubling += fmt::format("h{0}h{0}\x86q{1}", static_cast<char>(i), static_cast<char>(i + 1));
  }
  EXPECT_LT(seconds_of(doubling + "."), 0.5);
  // A dict that contains itself, through the memo.
  pickle_refusal(body("}q\x01" + text("a") + "h\x01s"));
  for (const char* flood : {"(", ")", "}", "N", "\x88", "})b"}) {
    std::string bytes = "\x80\x02";
    while (bytes.size() < (15 << 20)) bytes += flood;
    EXPECT_LT(seconds_of(bytes), 5.0) << flood;
  }
  // Fills the stack almost to its limit, again and again.
  std::string waves = "\x80\x02";
  while (waves.size() < (15 << 20)) waves += "(" + std::string(90'000, ')') + "t";
  EXPECT_LT(seconds_of(waves), 5.0);
}

}  // namespace
}  // namespace bifrons
