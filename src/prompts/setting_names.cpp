// Names and the two looser ways to compare with them.
#include "src/prompts/setting_names.h"

#include <algorithm>
#include <array>

#include "src/io/text.h"

namespace bifrons {
namespace {

struct FieldName {
  std::string_view name;
  Field field;
};

// Names of the fields that are no settings, the first one ours, separated by blanks; and beginnings
// of other names that mean the field.
struct FieldWords {
  Field field;
  std::string_view names, beginnings;
};

constexpr std::array kOtherFields = std::to_array<FieldWords>({
    {Field::kCount,
     "count n parallel_size num_images_per_prompt images_per_prompt num_images n_images "
     "number_of_images num_samples num_samples_per_prompt samples_per_prompt number_of_samples "
     "num_outputs num_generations num_return_sequences num_pictures number_of_pictures",
     "num_images num_samples number_of_images number_of_samples images_per samples_per num_img "
     "num_picture num_return pictures_per imgs_per image_count repeat parallel_size"},
    {Field::kBatchSize, "batch_size n_samples", "batch_size n_samples"},
    {Field::kBatches, "n_iter num_iter batch_count num_batches", "batch_count n_iter"},
    {Field::kId, "id custom_id", ""},
    {Field::kOutput, "output file_name", ""},
});

void add_words(std::vector<FieldName>& names, Field field, std::string_view words) {
  while (!words.empty()) {
    const size_t end = std::min(words.find(' '), words.size());
    names.push_back({words.substr(0, end), field});
    words.remove_prefix(std::min(end + 1, words.size()));
  }
}

// All names, those of settings first.
const std::vector<FieldName>& known_names() {
  static const std::vector<FieldName> kNames = [] {
    std::vector<FieldName> names;
    for_each_setting([&](const auto& each) { add_words(names, each.field, each.names); });
    for (const FieldWords& each : kOtherFields) add_words(names, each.field, each.names);
    return names;
  }();
  return kNames;
}

// Beginnings of names that mean a field.
const std::vector<FieldName>& known_beginnings() {
  static const std::vector<FieldName> kBeginnings = [] {
    std::vector<FieldName> names;
    for_each_setting([&](const auto& each) { add_words(names, each.field, each.beginnings); });
    for (const FieldWords& each : kOtherFields) add_words(names, each.field, each.beginnings);
    return names;
  }();
  return kBeginnings;
}

// Words that mean a setting wherever they stand in a name.
constexpr std::array kWords = std::to_array<FieldName>(
    {{"cfg", Field::kGuidance}, {"guidance", Field::kGuidance}, {"seed", Field::kSeed}});

constexpr size_t kLongestCompared = 64;  // of those that are compared letter by letter

bool is_upper(char c) { return c >= 'A' && c <= 'Z'; }
bool is_lower(char c) { return c >= 'a' && c <= 'z'; }
char lower(char c) { return is_upper(c) ? static_cast<char>(c - 'A' + 'a') : c; }

// Small letters, words joined by one underscore each.
std::string normal(std::string_view name) {
  std::string out;
  for (size_t i = 0; i < name.size(); ++i) {
    const char c = name[i];
    const bool between = c == '-' || c == ' ' || c == '_' || c == '\t';
    const bool hump = is_upper(c) && i > 0 && is_lower(name[i - 1]);
    if ((between || hump) && !out.empty() && out.back() != '_') out += '_';
    if (!between) out += lower(c);
  }
  while (out.ends_with('_')) out.pop_back();
  return out;
}

std::string without_underscores(std::string_view name) {
  std::string out(name);
  std::erase(out, '_');
  return out;
}

// Many tables have columns such as "filename" that mean something else, so names of ids and files
// are compared word for word.
bool is_of_file(Field field) { return field == Field::kOutput || field == Field::kId; }

bool same_name(const FieldName& known, std::string_view name, const std::string& plain) {
  if (!is_of_file(known.field)) return without_underscores(known.name) == plain;
  return std::equal(known.name.begin(), known.name.end(), name.begin(), name.end(),
                    [](char a, char b) { return a == (b == '-' || b == ' ' ? '_' : lower(b)); });
}

// Whether two neighbouring letters are exchanged.
bool swapped(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  const auto [at, other] = std::mismatch(a.begin(), a.end(), b.begin());
  if (at == a.end() || at + 1 == a.end()) return false;
  return at[0] == other[1] && at[1] == other[0] && std::equal(at + 2, a.end(), other + 2);
}

// Short words are near each other by chance ("test" and "text"): in them only a missing or an
// additional letter counts. Long names of some settings may have two errors.
bool mistyped(std::string_view known, std::string_view name, Field field) {
  if (known.size() < 4 || name.size() < 4) return false;
  if (known.size() == 4 && known.size() == name.size()) return false;
  const bool rare = field == Field::kGuidance || field == Field::kTemperature ||
                    field == Field::kNegativePrompt;  // few other words are near those
  const size_t allowed = rare && known.size() >= 9 ? 2 : 1;
  return swapped(known, name) || edit_distance(known, name, allowed + 1) <= allowed;
}

bool has_word(std::string_view name, std::string_view word) {
  for (size_t at = name.find(word); at != name.npos; at = name.find(word, at + 1)) {
    const size_t end = at + word.size();
    if ((at == 0 || name[at - 1] == '_') && (end == name.size() || name[end] == '_')) return true;
  }
  return false;
}

// "top_p" begins "top_p_value" but not "top_performers".
bool begins(std::string_view name, std::string_view beginning) {
  if (!name.starts_with(beginning)) return false;
  const bool one_letter = beginning.starts_with("top");
  return !one_letter || name.size() == beginning.size() || !is_lower(name[beginning.size()]);
}

}  // namespace

std::optional<Field> field_of(std::string_view name) {
  if (name.size() > kLongestCompared) return std::nullopt;
  const std::string plain = without_underscores(normal(name));
  for (const FieldName& each : known_names()) {
    if (same_name(each, name, plain)) return each.field;
  }
  return std::nullopt;
}

bool is_prompt_itself(std::string_view name) {
  return name.size() <= kLongestCompared && normal(name) == "prompt";
}

std::string_view nearly_field(std::string_view name) {
  if (name.size() > kLongestCompared || field_of(name)) return {};
  const std::string wanted = normal(name), plain = without_underscores(wanted);
  for (const FieldName& each : known_names()) {
    if (mistyped(each.name, wanted, each.field) ||
        mistyped(without_underscores(each.name), plain, each.field)) {
      return each.name;
    }
  }
  for (const FieldName& each : known_beginnings()) {
    if (begins(wanted, each.name)) return names_of(each.field).front();
  }
  for (const FieldName& each : kWords) {
    if (has_word(wanted, each.name)) return names_of(each.field).front();
  }
  return {};
}

std::vector<std::string_view> names_of(Field field) {
  std::vector<std::string_view> names;
  for (const FieldName& each : known_names()) {
    if (each.field == field) names.push_back(each.name);
  }
  return names;
}

}  // namespace bifrons
