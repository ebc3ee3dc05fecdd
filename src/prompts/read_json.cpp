// JSON Lines: one object for each line with at least a prompt, or an OpenAI batch request around
// such an object. The entries of a JSON array are the same, or plain prompts.
#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "kernels/error.h"
#include "src/io/quote.h"
#include "src/io/text.h"
#include "src/prompts/prompt_reader.h"
#include "src/prompts/unknown_fields.h"

namespace bifrons {
namespace {

constexpr JsonLimits kLimits{.bytes = kLongestLine, .depth = 16, .values = 10'000};
constexpr std::string_view kEndpoint = "/images/generations";

class JsonParser : public LineParser {
 public:
  explicit JsonParser(WarnOnce& warn) : warn_(warn) {}

  PromptLine parse(const TextLine& text, PromptLineReader&) override {
    const Json object = parse_object(text.text);
    PromptLine line;
    if (text.is_entry && object.is_string()) {
      line.prompt = object.text("the entry");
      return line;
    }
    const Json* body = object.find("body");
    const Json* url = object.find("url");
    if (body != nullptr && url != nullptr && object.find("prompt") == nullptr) {
      check_endpoint(*url, object.find("method"));
      if (const Json* id = object.find("custom_id")) set_field(line, Field::kId, "custom_id", *id);
      take_members(line, *body, "body");
    } else {
      take_members(line, object, text.is_entry ? "the entry" : "the line");
    }
    if (!line.prompt) refuse_without_prompt(line);
    return line;
  }

 private:
  // The messages of Json begin with a name. The caller adds file and line.
  static Json parse_object(const std::string& text) {
    try {
      return Json::parse(text, "", kLimits);
    } catch (const Error& error) {
      const std::string_view sentence = error.what();
      throw Error(ErrorKind::kData,
                  std::string(sentence.substr(sentence.starts_with(": ") ? 2 : 0)));
    }
  }

  static void check_endpoint(const Json& url, const Json* method) {
    if (method != nullptr && method->text("method") != "POST") {
      throw Error(ErrorKind::kData, "method is " + quote(method->text("method"), 60) +
                                        ", but pictures are asked for by POST");
    }
    const std::string& path = url.text("url");
    if (path.ends_with(kEndpoint)) return;
    throw Error(ErrorKind::kData,
                fmt::format("url is {}, but only /v1{} can be drawn", quote(path, 60), kEndpoint));
  }

  void take_members(PromptLine& line, const Json& object, std::string_view where) {
    // A manifest can be used as a prompt file. All of its members are its own.
    const bool manifest = object.find("crc32") != nullptr && object.find("key") != nullptr;
    const std::string_view prompt = prompt_itself(object, where);
    std::array<bool, kFields> seen{};
    take_edit(line, object, manifest);
    for (const auto& [name, value] : object.members(where)) {
      if ((line.edit && is_edit_member(name)) || (name == "image" && !manifest)) continue;
      std::optional<Field> field = field_of(name);
      if (manifest && field && is_copied_column(object, name, *field)) field.reset();
      if (field == Field::kPrompt && !prompt.empty() && !is_prompt_itself(name)) {
        field.reset();  // for example "prompt" and "caption"
        warn_second_prompt(warn_, "key", prompt, name);
        line.extras.emplace_back(name, value.dump());
        continue;
      }
      if (!field) {
        line.extras.emplace_back(name, value.dump());
        if (!manifest) warn_unknown_field(warn_, "key", name);
        continue;
      }
      bool& before = seen[static_cast<size_t>(*field)];
      if (before && !value.is_null()) {
        throw Error(ErrorKind::kData, quote(name, 60) + " says again what another key says");
      }
      before = before || !value.is_null();
      set_field(line, *field, name, value);
    }
    settle_count(line);
  }

  // The picture that the line changes. A manifest, whose `image` is a name of its readers, has it
  // in its member `edit`. Without a picture these names are foreign, as in many data sets.
  static void take_edit(PromptLine& line, const Json& object, bool manifest) {
    const Json* holder = &object;
    if (manifest) {
      holder = object.find("edit");
      if (holder == nullptr || !holder->is_object()) return;
    }
    const Json* image = holder->find("image");
    if (image == nullptr || image->is_null()) return;
    if (!image->is_string()) {
      throw Error(ErrorKind::kData,
                  fmt::format("image is {}, not the path of a picture to change", image->kind()));
    }
    EditedImage edit{.image = image->text("image")};
    if (edit.image.empty()) return;
    refuse_control(edit.image);
    const auto given = [&](const char* name) {
      const Json* value = holder->find(name);
      return value != nullptr && value->is_null() ? nullptr : value;
    };
    if (const Json* style = given(manifest ? "style" : "edit_style")) {
      edit.style = style->text("edit_style");
    }
    if (const Json* weight = given("image_guidance")) {
      edit.image_guidance = weight->real("image_guidance");
    }
    if (const Json* turned = given("apply_orientation")) {
      edit.apply_orientation = turned->boolean("apply_orientation");
    }
    line.edit = std::move(edit);
  }

  static void refuse_control(const std::string& path) {
    const auto control = control_character(path, false);
    if (!control) return;
    throw Error(ErrorKind::kData,
                fmt::format("image holds a control character (0x{:02x})", control->code));
  }

  static bool is_edit_member(std::string_view name) {
    constexpr std::array<std::string_view, 4> kNames = {"image", "edit_style", "image_guidance",
                                                        "apply_orientation"};
    return std::find(kNames.begin(), kNames.end(), name) != kNames.end();
  }

  // Whether a member of a manifest's line was a column of its prompt file. A column may have the
  // name of a setting that is newer than the manifest, or another name of a setting of the
  // manifest.
  static bool is_copied_column(const Json& object, std::string_view name, Field field) {
    if (is_manifest_member(name)) return false;
    const std::vector<std::string_view> names = names_of(field);
    return std::any_of(names.begin(), names.end(), [&](std::string_view own) {
      return is_manifest_member(own) && object.find(own) != nullptr;
    });
  }

  // The spelling of the key "prompt", if it has a value. It has priority over its aliases.
  static std::string_view prompt_itself(const Json& object, std::string_view where) {
    for (const auto& [name, value] : object.members(where)) {
      if (is_prompt_itself(name) && !value.is_null()) return name;
    }
    return {};
  }

  [[noreturn]] static void refuse_without_prompt(const PromptLine& line) {
    for (const auto& [name, value] : line.extras) {
      if (nearly_field(name) == "prompt") {
        throw Error(ErrorKind::kData, "there is no prompt; is " + quote(name, 60) + " one?");
      }
    }
    throw Error(ErrorKind::kData, "there is no prompt");
  }

  WarnOnce& warn_;
};

}  // namespace

std::unique_ptr<LineParser> json_parser(WarnOnce& warn) {
  return std::make_unique<JsonParser>(warn);
}

}  // namespace bifrons
