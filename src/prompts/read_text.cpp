// Plain lines, with the options of A1111's "Prompts from file": --prompt ... --seed 7 --cfg_scale
// 5. A prompt may also stand before the options.
#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "kernels/error.h"
#include "src/io/json.h"
#include "src/io/quote.h"
#include "src/io/text.h"
#include "src/prompts/prompt_reader.h"
#include "src/prompts/refuse.h"

namespace bifrons {
namespace {

// Options of A1111 that have no meaning for this engine.
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

// Position of the first option: "--" and a letter, at the start or after a blank.
size_t first_option(std::string_view line) {
  for (size_t at = line.find("--"); at != line.npos; at = line.find("--", at + 1)) {
    const bool starts = at == 0 || is_ascii_space(line[at - 1]);
    if (starts && at + 2 < line.size() && is_ascii_letter(line[at + 2])) return at;
  }
  return std::string_view::npos;
}

// Splits a line into words as Python's shlex.split() does, because A1111 uses it.
std::vector<std::string> shell_words(std::string_view text) {
  std::vector<std::string> words;
  std::string word;
  bool inside_word = false;
  char quoted = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (quoted == 0 && is_ascii_space(c)) {
      if (inside_word) words.push_back(std::move(word));
      word.clear();
      inside_word = false;
      continue;
    }
    inside_word = true;
    if (c == '\\' && quoted != '\'') {
      if (i + 1 == text.size()) refuse_as_data("a backslash at the end escapes nothing");
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
    refuse_as_data(
        fmt::format("a quote ({}) that is not closed; write a text that holds one in the other "
                    "kind of quotes",
                    quoted));
  }
  if (inside_word) words.push_back(std::move(word));
  return words;
}

// Length in bytes of a typographic dash at `at`: other hyphens, en dash, em dash, horizontal bar
// and minus. 0: there is none.
size_t dash_at(std::string_view text, size_t at) {
  constexpr std::array<std::string_view, 7> kDashes = {
      "\xe2\x80\x90", "\xe2\x80\x91", "\xe2\x80\x92", "\xe2\x80\x93",
      "\xe2\x80\x94", "\xe2\x80\x95", "\xe2\x88\x92"};
  for (const std::string_view dash : kDashes) {
    if (text.substr(at).starts_with(dash)) return dash.size();
  }
  return 0;
}

// A word that looks like an option but is not one: "—seed 7", which a word processor makes of
// "--seed 7", and "-n2", from prompts of InvokeAI.
void warn_other_dashes(std::string_view line, WarnOnce& warn) {
  for (size_t at = 0; at < line.size(); ++at) {
    if (at > 0 && !is_ascii_space(line[at - 1])) continue;
    size_t name = at;
    while (const size_t n = dash_at(line, name)) name += n;
    if (name > at) {
      const size_t end = std::min(line.find_first_of(" \t=", name), line.size());
      const std::string_view word = line.substr(name, end - name);
      if (word.size() > 1 && (field_of(word) || is_size(word))) {
        warn.about("dash of typography",
                   fmt::format("{} begins with a dash of typography and is drawn as it stands; "
                               "an option is written --{}",
                               quote(line.substr(at, end - at), 60), word));
      }
    } else if (line[at] == '-' && at + 2 < line.size() && at > 0 &&
               std::string_view("nsSCWHA").find(line[at + 1]) != std::string_view::npos &&
               line[at + 2] >= '0' && line[at + 2] <= '9') {
      const size_t end = std::min(line.find_first_of(" \t", at), line.size());
      warn.about("one hyphen",
                 fmt::format("{} is part of the prompt; an option has two hyphens and a name, "
                             "such as --seed 7",
                             quote(line.substr(at, end - at), 60)));
    }
  }
}

class TextParser : public LineParser {
 public:
  explicit TextParser(WarnOnce& warn) : warn_(warn) {}

  PromptLine parse(const TextLine& text, PromptLineReader&) override {
    PromptLine line;
    if (is_comment(text.text)) {
      warn_.once("lines that begin with # or // are drawn like any; --comments leaves them out");
    }
    warn_other_dashes(text.text, warn_);
    const size_t options = first_option(text.text);
    const std::string_view head = trimmed(std::string_view(text.text).substr(0, options), " \t");
    if (!head.empty()) line.prompt = head;
    if (options != std::string_view::npos) {
      take_options(line, shell_words(std::string_view(text.text).substr(options)));
    }
    return line;
  }

 private:
  void take_options(PromptLine& line, const std::vector<std::string>& words) {
    std::array<std::string, kFields> said{};
    for (size_t i = 0; i < words.size();) {
      if (!words[i].starts_with("--")) refuse_as_data("unexpected " + quote(words[i], 60));
      std::string name = words[i].substr(2), value;
      if (const size_t equals = name.find('='); equals != std::string::npos) {
        value = name.substr(equals + 1);
        name.resize(equals);
        ++i;
      } else {
        if (++i == words.size()) refuse_as_data("no value after " + quote("--" + name, 60));
        value = words[i++];
      }
      const std::optional<Field> field = field_of_option(name);
      if (field == Field::kPrompt || field == Field::kNegativePrompt) {
        while (i < words.size() && !words[i].starts_with("--")) value += " " + words[i++];
      }
      if (field == Field::kPrompt && line.prompt) refuse_as_data("the prompt stands there twice");
      if (field) {
        // The last of several equal options counts, as in A1111. Two names of one setting are an
        // error.
        std::string& before = said[static_cast<size_t>(*field)];
        if (!before.empty() && before != name) {
          refuse_as_data(quote("--" + name, 60) + " says again what " + quote("--" + before, 60) +
                         " says");
        }
        before = name;
        set_field(line, *field, "--" + name, value);
      } else if (is_size(name)) {
        line.extras.emplace_back(name, json_text(value));
      } else {
        pass_over(name);
      }
    }
    settle_count(line);
  }

  // A1111's own scripts repeat what their options describe.
  static std::optional<Field> field_of_option(const std::string& name) {
    return name == "repeat" ? Field::kBatches : field_of(name);
  }

  void pass_over(std::string name) {
    std::replace(name.begin(), name.end(), '-', '_');
    if (std::find(kWithoutMeaning.begin(), kWithoutMeaning.end(), name) == kWithoutMeaning.end()) {
      const std::string_view near = nearly_field(name);
      refuse_as_data("unknown option " + quote("--" + name, 60) +
                     (near.empty() ? std::string() : fmt::format("; did you mean --{}?", near)));
    }
    warn_.once("--" + name + " means nothing to this model and is passed over");
  }

  WarnOnce& warn_;
};

// Removes blanks and line ends at both ends.
class CaptionParser : public LineParser {
 public:
  PromptLine parse(const TextLine& text, PromptLineReader&) override {
    constexpr std::string_view kBlanks = " \t\n";
    const size_t first = std::min(text.text.find_first_not_of(kBlanks), text.text.size());
    const size_t last = text.text.find_last_not_of(kBlanks);
    PromptLine line;
    line.prompt = text.text.substr(first, last == std::string::npos ? 0 : last + 1 - first);
    return line;
  }
};

}  // namespace

std::unique_ptr<LineParser> caption_parser() { return std::make_unique<CaptionParser>(); }

std::unique_ptr<LineParser> text_parser(WarnOnce& warn) {
  return std::make_unique<TextParser>(warn);
}

}  // namespace bifrons
