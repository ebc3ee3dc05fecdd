// Plain lines, with the options of A1111's "Prompts from file": --prompt ... --seed 7 --cfg_scale
// 5, or a prompt with options after it.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <limits>

#include "kernels/error.h"
#include "src/batch/prompt_reader.h"
#include "src/io/json.h"
#include "src/io/quote.h"
#include "src/io/text.h"

namespace bifrons {
namespace {

// What A1111 knows and this engine has no use for.
constexpr std::array<std::string_view, 16> kWithoutMeaning = {"steps",
                                                              "sampler_name",
                                                              "sampler_index",
                                                              "styles",
                                                              "subseed",
                                                              "subseed_strength",
                                                              "restore_faces",
                                                              "tiling",
                                                              "outpath_samples",
                                                              "outpath_grids",
                                                              "sd_model",
                                                              "seed_resize_from_h",
                                                              "seed_resize_from_w",
                                                              "prompt_for_display",
                                                              "do_not_save_samples",
                                                              "do_not_save_grid"};

[[noreturn]] void refuse(const std::string& sentence) { throw Error(ErrorKind::kData, sentence); }

bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
bool is_space(char c) { return c == ' ' || c == '\t' || c == '\n'; }

std::string_view trimmed(std::string_view text) {
  const size_t first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

// Where the first option begins: "--" and a letter, at the start or after a blank.
size_t first_option(std::string_view line) {
  for (size_t at = line.find("--"); at != line.npos; at = line.find("--", at + 1)) {
    const bool starts = at == 0 || is_space(line[at - 1]);
    if (starts && at + 2 < line.size() && is_letter(line[at + 2])) return at;
  }
  return std::string_view::npos;
}

// Words as Python's shlex.split() gives them, which is what A1111 uses.
std::vector<std::string> shell_words(std::string_view text) {
  std::vector<std::string> words;
  std::string word;
  bool inside_word = false;
  char quoted = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (quoted == 0 && is_space(c)) {
      if (inside_word) words.push_back(std::move(word));
      word.clear();
      inside_word = false;
      continue;
    }
    inside_word = true;
    if (c == '\\' && quoted != '\'') {
      if (i + 1 == text.size()) refuse("a backslash at the end escapes nothing");
      const char next = text[++i];
      if (quoted == '"' && next != '"' && next != '\\') word += '\\';
      word += next;
    } else if (quoted == 0 && (c == '"' || c == '\'')) {
      quoted = c;
    } else if (quoted == c) {
      quoted = 0;
    } else {
      word += c;
    }
  }
  if (quoted != 0) {
    refuse(
        fmt::format("a quote ({}) that is not closed; write a text that holds one in the other "
                    "kind of quotes",
                    quoted));
  }
  if (inside_word) words.push_back(std::move(word));
  return words;
}

class TextParser : public LineParser {
 public:
  explicit TextParser(Remarks& remarks) : remarks_(remarks) {}

  PromptLine parse(const TextLine& text, LineReader&) override {
    PromptLine line;
    const size_t options = first_option(text.text);
    const std::string_view head = trimmed(std::string_view(text.text).substr(0, options));
    if (!head.empty()) line.prompt = head;
    if (options != std::string_view::npos) {
      take_options(line, shell_words(std::string_view(text.text).substr(options)));
    }
    return line;
  }

 private:
  void take_options(PromptLine& line, const std::vector<std::string>& words) {
    int64_t per_batch = 1, batches = 1;
    for (size_t i = 0; i < words.size();) {
      if (!words[i].starts_with("--")) refuse("unexpected " + quote(words[i], 60));
      const std::string name = words[i].substr(2);
      if (++i == words.size()) refuse("no value after " + quote("--" + name, 60));
      const std::optional<Field> field = field_of(name);
      std::string value = words[i++];
      if (field == Field::kPrompt || field == Field::kNegativePrompt) {
        while (i < words.size() && !words[i].starts_with("--")) value += " " + words[i++];
      }
      if (field == Field::kPrompt && line.prompt) refuse("the prompt stands there twice");
      if (field) {
        set_field(line, *field, "--" + name, value);
      } else if (name == "batch_size" || name == "batch-size") {
        per_batch = whole(name, value);
      } else if (name == "n_iter" || name == "n-iter" || name == "repeat") {
        batches = whole(name, value);
      } else if (is_size(name)) {
        line.extras.emplace_back(name, json_text(value));
      } else {
        pass_over(name);
      }
    }
    if (per_batch * batches > kMostPicturesOfALine) {
      refuse(fmt::format("{} pictures; a line gives at most {}", per_batch * batches,
                         kMostPicturesOfALine));
    }
    if (!line.count && per_batch * batches > 1) line.count = per_batch * batches;
  }

  static int64_t whole(const std::string& name, const std::string& value) {
    PromptLine scratch;
    set_field(scratch, Field::kCount, "--" + name, value);
    return *scratch.count;
  }

  void pass_over(std::string name) {
    std::replace(name.begin(), name.end(), '-', '_');
    if (std::find(kWithoutMeaning.begin(), kWithoutMeaning.end(), name) == kWithoutMeaning.end()) {
      const std::string_view near = nearly_field(name);
      refuse("unknown option " + quote("--" + name, 60) +
             (near.empty() ? std::string() : fmt::format("; did you mean --{}?", near)));
    }
    remarks_.once("--" + name + " means nothing to this model and is passed over");
  }

  Remarks& remarks_;
};

}  // namespace

std::unique_ptr<LineParser> text_parser(Remarks& remarks) {
  return std::make_unique<TextParser>(remarks);
}

}  // namespace bifrons
