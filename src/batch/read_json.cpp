// JSON Lines: an object a line with at least a prompt, or an OpenAI batch request around one.
#include <fmt/format.h>

#include <array>

#include "kernels/error.h"
#include "src/batch/prompt_reader.h"
#include "src/io/quote.h"

namespace bifrons {
namespace {

constexpr JsonLimits kLimits{.bytes = kLongestLine, .depth = 16, .values = 10'000};
constexpr std::string_view kEndpoint = "/images/generations";

class JsonParser : public LineParser {
 public:
  explicit JsonParser(Remarks& remarks) : remarks_(remarks) {}

  PromptLine parse(const TextLine& text, LineReader&) override {
    const Json object = parse_object(text.text);
    PromptLine line;
    const Json* body = object.find("body");
    const Json* url = object.find("url");
    if (body != nullptr && url != nullptr && object.find("prompt") == nullptr) {
      check_endpoint(*url, object.find("method"));
      if (const Json* id = object.find("custom_id")) set_field(line, Field::kId, "custom_id", *id);
      take_members(line, *body, "body");
    } else {
      take_members(line, object, "the line");
    }
    if (!line.prompt) refuse_without_prompt(line);
    return line;
  }

 private:
  // Json's own sentences begin with a name; the caller names file and line.
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
    // A manifest may be drawn again as it is: all of its members are the manifest's own.
    const bool manifest = object.find("crc32") != nullptr && object.find("key") != nullptr;
    std::array<bool, static_cast<size_t>(Field::kOutput) + 1> seen{};
    for (const auto& [name, value] : object.members(where)) {
      std::optional<Field> field = field_of(name);
      const bool alias = name != "prompt" && object.find("prompt") != nullptr;
      if (field == Field::kPrompt && alias) field.reset();  // "prompt" and, say, "caption"
      if (!field) {
        line.extras.emplace_back(name, value.dump());
        if (!manifest && is_manifest_member(name) && !is_size(name)) {
          remarks_.once(fmt::format("the key {} is one the manifest has itself; it is not copied",
                                    quote(name, 60)));
        }
        if (const std::string_view near = nearly_field(name); !near.empty()) {
          remarks_.once(fmt::format("the key {} is only copied to the manifest; did you mean {}?",
                                    quote(name, 60), near));
        }
        continue;
      }
      bool& before = seen[static_cast<size_t>(*field)];
      if (before && !value.is_null()) {
        throw Error(ErrorKind::kData, name + " says again what another key says");
      }
      before = before || !value.is_null();
      set_field(line, *field, name, value);
    }
  }

  [[noreturn]] static void refuse_without_prompt(const PromptLine& line) {
    for (const auto& [name, value] : line.extras) {
      if (nearly_field(name) == "prompt") {
        throw Error(ErrorKind::kData, "there is no prompt; is " + quote(name, 60) + " one?");
      }
    }
    throw Error(ErrorKind::kData, "there is no prompt");
  }

  Remarks& remarks_;
};

}  // namespace

std::unique_ptr<LineParser> json_parser(Remarks& remarks) {
  return std::make_unique<JsonParser>(remarks);
}

}  // namespace bifrons
