// CLI11 processes options in the order in which they were added: our own come before these.
#include "tools/bifrons/setting_aliases.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <memory>

#include "kernels/error.h"
#include "src/io/text.h"
#include "src/prompts/setting_names.h"

namespace bifrons::cli {
namespace {

using TakeOptionText = std::function<void(const std::string& option, const std::string& text)>;

std::string spelled(std::string_view name, std::string_view between) {
  std::string option = "--";
  for (const char c : name) {
    if (c == '_') {
      option += between;
    } else {
      option += c;
    }
  }
  return option;
}

// One hidden option for each name, so that an error can name it.
void add_hidden(CLI::App& command, Field field, const TakeOptionText& take) {
  for (const std::string_view name : names_of(field)) {
    if (name.size() == 1) continue;  // -n is a negative prompt here
    std::string names;
    for (const std::string_view between : {"-", "_", ""}) {
      const std::string option = spelled(name, between);
      const bool twice = (names + ",").find(option + ",") != std::string::npos;
      if (twice || command.get_option_no_throw(option) != nullptr) continue;
      names += (names.empty() ? "" : ",") + option;
    }
    if (names.empty()) continue;
    const std::string shown = names.substr(0, names.find(','));
    command
        .add_option_function<std::string>(
            names, [take, shown](const std::string& text) { take(shown, text); }, "")
        ->group("");
  }
}

// Passes values to the option `own` as if they had been given to it.
void add_aliases_of(CLI::App& command, Field field, const std::string& own_name) {
  CLI::Option* own = command.get_option_no_throw(own_name);
  if (own == nullptr) return;
  const auto before = std::make_shared<std::string>(own_name);
  add_hidden(command, field, [own, before](const std::string& option, const std::string& text) {
    if (own->count() > 0) refuse_two_names(*before, option);
    *before = option;
    own->add_result(text);
    own->run_callback();
  });
}

struct Product {
  int64_t factors[2] = {1, 1};
  std::string said[2];  // the options that gave the values
};

}  // namespace

void add_setting_aliases(CLI::App& command) {
  for_each_setting([&](const auto& setting) {
    const std::string own(option_of(setting.flags));
    if (!own.empty()) add_aliases_of(command, setting.field, own);
  });
}

void add_count_aliases(CLI::App& command, int64_t& count, int64_t most) {
  add_aliases_of(command, Field::kCount, "--count");
  CLI::Option* own = command.get_option("--count");
  const auto product = std::make_shared<Product>();
  for (const size_t i : {0, 1}) {
    add_hidden(command, i == 0 ? Field::kBatchSize : Field::kBatches,
               [=, &count](const std::string& option, const std::string& text) {
                 if (own->count() > 0) refuse_two_names("--count", option);
                 if (!product->said[i].empty()) refuse_two_names(product->said[i], option);
                 product->said[i] = option;
                 product->factors[i] = static_cast<int64_t>(
                     parse_whole(option, text, 1, static_cast<uint64_t>(most)));
                 count = product->factors[0] * product->factors[1];
                 if (count <= most) return;
                 throw Error(
                     ErrorKind::kUsage,
                     fmt::format("{} pictures in all, but one call draws at most {}", count, most));
               });
  }
}

void add_count_aliases_of_batch(CLI::App& command) {
  add_aliases_of(command, Field::kCount, "--count");
  add_aliases_of(command, Field::kBatches, "--count");
  add_hidden(command, Field::kBatchSize, [](const std::string& option, const std::string&) {
    throw Error(ErrorKind::kUsage,
                option +
                    " could mean --count N, pictures of each prompt, or --batch N, pictures "
                    "drawn side by side; give one of those");
  });
}

bool is_setting_option(const CLI::App& command, const CLI::Option& option) {
  if (option.get_group().empty()) return true;  // only other names are hidden
  bool found =
      option.check_lname("count") || option.check_lname("width") || option.check_lname("height");
  for_each_setting([&](const auto& setting) {
    const std::string own(option_of(setting.flags));
    found = found || (!own.empty() && command.get_option_no_throw(own) == &option);
  });
  return found;
}

void refuse_two_names(const std::string& a, const std::string& b) {
  throw Error(ErrorKind::kUsage, fmt::format("{} and {} say the same; give one of them", a, b));
}

}  // namespace bifrons::cli
