// Registers, constants, symbols and labels of a kernel.
#include "tests/ptx/kernel_builder.h"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <stdexcept>

#include "tests/ptx/opcodes.h"

namespace ptx {
namespace {

[[noreturn]] void unknown(const std::string& what, std::string_view text) {
  throw std::runtime_error(what + " " + std::string(text));
}

int64_t rounded_up(int64_t n, int64_t unit) { return (n + unit - 1) / unit * unit; }

uint64_t number(std::string_view text) {
  const bool negative = text.starts_with('-');
  std::string_view digits = text.substr(negative ? 1 : 0);
  int base = 10;
  if (digits.starts_with("0f") || digits.starts_with("0d") || digits.starts_with("0x")) {
    digits.remove_prefix(2);
    base = 16;
  }
  uint64_t value = 0;
  const auto [end, error] =
      std::from_chars(digits.data(), digits.data() + digits.size(), value, base);
  if (error != std::errc() || end != digits.data() + digits.size()) unknown("number", text);
  return negative ? ~value + 1 : value;
}

}  // namespace

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kBlank = " \t\n\r";
  const size_t first = text.find_first_not_of(kBlank);
  if (first == text.npos) return {};
  return text.substr(first, text.find_last_not_of(kBlank) - first + 1);
}

std::vector<std::string_view> parts_of(std::string_view text) {
  std::vector<std::string_view> parts;
  int depth = 0;
  size_t begin = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '{' || text[i] == '[') ++depth;
    if (text[i] == '}' || text[i] == ']') --depth;
    if (text[i] != ',' || depth > 0) continue;
    parts.push_back(trimmed(text.substr(begin, i - begin)));
    begin = i + 1;
  }
  if (const std::string_view last = trimmed(text.substr(begin)); !last.empty()) {
    parts.push_back(last);
  }
  return parts;
}

std::string read_variable(std::string_view declaration, SharedVariable& variable) {
  if (const size_t at = declaration.find(".align "); at != declaration.npos) {
    const std::string_view rest = declaration.substr(at + 7);
    variable.alignment = static_cast<int64_t>(number(rest.substr(0, rest.find(' '))));
  }
  const size_t name_at = declaration.find_last_of(" \t") + 1;
  const std::string_view before = trimmed(declaration.substr(0, name_at));
  const Type type = type_named(before.substr(before.rfind('.') + 1));
  std::string_view name = declaration.substr(name_at);
  variable.bytes = width_of(type);
  if (const size_t bracket = name.find('['); bracket != name.npos) {
    const std::string_view count = name.substr(bracket + 1, name.find(']') - bracket - 1);
    variable.bytes *= count.empty() ? 0 : static_cast<int64_t>(number(count));
    name = name.substr(0, bracket);
  }
  return std::string(name);
}

KernelBuilder::KernelBuilder(Kernel& kernel, const SharedVariables& of_module)
    : kernel_(kernel), of_module_(of_module) {
  for (std::array<Slot, 3>* special :
       {&kernel.thread_index, &kernel.block_size, &kernel.block_index, &kernel.grid_size}) {
    for (Slot& slot : *special) slot = new_register(Type::kU32);
  }
}

void KernelBuilder::add_parameter(const std::string& name, size_t bytes, size_t alignment) {
  kernel_.parameter_bytes = rounded_up(kernel_.parameter_bytes, alignment);
  kernel_.parameters.push_back({kernel_.parameter_bytes, bytes});
  parameters_[name] = static_cast<int64_t>(kernel_.parameter_bytes);
  kernel_.parameter_bytes += bytes;
}

void KernelBuilder::add_shared(std::string_view declaration) {
  SharedVariable variable;
  const std::string name = read_variable(declaration, variable);
  own_[name] = variable;
}

void KernelBuilder::add_registers(std::string_view declaration) {
  const size_t name_at = declaration.find('%');
  if (name_at == declaration.npos) unknown("registers", declaration);
  const std::string_view before = trimmed(declaration.substr(0, name_at));
  const Type type = type_named(before.substr(before.rfind('.') + 1));
  if (type == Type::kNone) unknown("registers", declaration);
  for (const std::string_view name : parts_of(declaration.substr(name_at))) {
    if (const size_t count = name.find('<'); count != name.npos) {
      families_[std::string(name.substr(0, count))] = type;
    } else {
      scopes_.back()[std::string(name)] = new_register(type);
    }
  }
}

void KernelBuilder::add_label(std::string_view name) {
  labels_[std::string(name)] = static_cast<int>(kernel_.code.size());
}

Slot KernelBuilder::new_register(Type type) {
  Slot slot{static_cast<uint32_t>(kernel_.register_bytes), false, width_of(type) == 8, true};
  // A predicate needs one word. It gets 16 bytes, so that the other registers stay aligned.
  kernel_.register_bytes += type == Type::kPred ? 16 : slot.wide ? 8 * kWarp : 4 * kWarp;
  return slot;
}

Slot KernelBuilder::register_named(std::string_view name) {
  for (auto scope = scopes_.rbegin(); scope != scopes_.rend(); ++scope) {
    if (const auto found = scope->find(name); found != scope->end()) return found->second;
  }
  if (const Slot special = special_register(name); special.used) return special;
  const size_t digits = name.find_last_not_of("0123456789") + 1;
  const auto family = families_.find(name.substr(0, digits));
  if (family == families_.end()) unknown("register", name);
  return scopes_.front()[std::string(name)] = new_register(family->second);
}

Slot KernelBuilder::special_register(std::string_view name) {
  if (name.size() < 3 || name[name.size() - 2] != '.') return {};
  const int axis = name.back() - 'x';
  if (axis < 0 || axis > 2) return {};
  const std::string_view of = name.substr(0, name.size() - 2);
  if (of == "%tid") return kernel_.thread_index[axis];
  if (of == "%ntid") return kernel_.block_size[axis];
  if (of == "%ctaid") return kernel_.block_index[axis];
  if (of == "%nctaid") return kernel_.grid_size[axis];
  return {};
}

Slot KernelBuilder::constant(uint64_t value, Type type) {
  const bool wide = width_of(type) == 8;
  if (width_of(type) < 4) value &= (uint64_t{1} << 8 * width_of(type)) - 1;
  if (type == Type::kPred) value = value ? kAllLanes : 0;
  const auto [found, added] = constants_.try_emplace({value, wide});
  if (!added) return found->second;
  const Slot slot{static_cast<uint32_t>(kernel_.constants.size()), true, wide, true};
  kernel_.constants.resize(kernel_.constants.size() + (wide ? 8 : 4) * kWarp);
  for (int lane = 0; lane < kWarp; ++lane) {
    std::byte* to = kernel_.constants.data() + slot.at + lane * (wide ? 8 : 4);
    std::memcpy(to, &value, wide ? 8 : 4);
  }
  return found->second = slot;
}

int64_t KernelBuilder::place_shared(const std::string& name, const SharedVariable& variable) {
  const auto [found, added] = shared_places_.try_emplace(name);
  if (!added) return found->second;
  kernel_.static_shared = rounded_up(kernel_.static_shared, variable.alignment);
  found->second = kernel_.static_shared;
  kernel_.static_shared += variable.bytes;
  return found->second;
}

bool KernelBuilder::symbol(std::string_view name, Place& place) {
  if (const auto found = parameters_.find(name); found != parameters_.end()) {
    place = {false, found->second};
    return true;
  }
  for (const SharedVariables* variables : {&std::as_const(own_), &of_module_}) {
    const auto found = variables->find(name);
    if (found == variables->end()) continue;
    const bool dynamic = found->second.bytes == 0;
    place = {dynamic, dynamic ? 0 : place_shared(found->first, found->second)};
    return true;
  }
  return false;
}

Slot KernelBuilder::operand(std::string_view text, Type type) {
  if (text.starts_with('%')) return register_named(text);
  Place place{};
  if (!symbol(text, place)) return constant(number(text), type);
  if (!place.is_dynamic) return constant(place.value, type);
  // A separate constant, because its value is known only later.
  const bool wide = width_of(type) == 8;
  const Slot slot{static_cast<uint32_t>(kernel_.constants.size()), true, wide, true};
  kernel_.constants.resize(kernel_.constants.size() + (wide ? 8 : 4) * kWarp);
  dynamic_constants_.push_back({slot, 0});
  return slot;
}

int KernelBuilder::operands(std::string_view text, Type type, Instruction& i, int first_slot) {
  if (!text.starts_with('{')) {
    i.slots.at(first_slot) = operand(text, type);
    return 1;
  }
  int count = 0;
  for (const std::string_view each : parts_of(text.substr(1, text.size() - 2))) {
    i.slots.at(first_slot + count++) = operand(each, type);
  }
  return count;
}

Address KernelBuilder::address(std::string_view text, int which) {
  if (!text.starts_with('[') || !text.ends_with(']')) unknown("address", text);
  text = trimmed(text.substr(1, text.size() - 2));
  Address result;
  const size_t plus = text.find('+');
  const std::string_view base = trimmed(text.substr(0, plus));
  if (plus != text.npos) {
    result.displacement = static_cast<int64_t>(number(trimmed(text.substr(plus + 1))));
  }
  Place place{};
  if (base.starts_with('%')) {
    result.base = register_named(base);
  } else if (symbol(base, place)) {
    result.displacement += place.value;
    if (place.is_dynamic) dynamic_addresses_.push_back({kernel_.code.size(), which});
  } else {
    result.displacement += static_cast<int64_t>(number(base));
  }
  return result;
}

void KernelBuilder::finish() {
  for (const auto& [at, label] : branches_) {
    const auto found = labels_.find(label);
    if (found == labels_.end()) unknown("label", label);
    kernel_.code[at].target = found->second;
  }
  kernel_.static_shared = rounded_up(kernel_.static_shared, 16);
  for (const auto& [slot, displacement] : dynamic_constants_) {
    const int64_t value = kernel_.static_shared + displacement;
    for (int lane = 0; lane < kWarp; ++lane) {
      const int width = slot.wide ? 8 : 4;
      std::memcpy(kernel_.constants.data() + slot.at + lane * width, &value, width);
    }
  }
  for (const auto& [at, which] : dynamic_addresses_) {
    Instruction& i = kernel_.code[at];
    (which == 0 ? i.address : i.source).displacement += kernel_.static_shared;
  }
}

}  // namespace ptx
