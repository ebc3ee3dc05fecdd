// `bifrons info`: the metadata of pictures.
#include <fmt/format.h>

#include <memory>
#include <nlohmann/json.hpp>

#include "src/io/quote.h"
#include "tools/bifrons/session.h"
#include "tools/bifrons/signals.h"
#include "tools/bifrons/streams.h"
#include "tools/bifrons/untrusted_json.h"

namespace bifrons::cli {
namespace {

constexpr size_t kLongestShownArray = 8;
constexpr size_t kLongestShown = 4000;  // columns of a thought

std::string_view format_name(PictureFormat format) {
  switch (format) {
    case PictureFormat::kPng:
      return "PNG";
    case PictureFormat::kJpeg:
      return "JPEG";
    case PictureFormat::kWebp:
      return "WebP";
  }
  return "unknown";
}

// The JSON settings of the picture; null if it has none. The file is untrusted, so the depth is
// checked before the text is parsed.
nlohmann::json settings_json(const PictureFileInfo& info, const std::string& name) {
  if (info.metadata.settings.empty()) return nullptr;
  return parse_untrusted_json(info.metadata.settings, name);
}

std::string human_report(const PictureFileInfo& info, const nlohmann::json& settings,
                         const std::string& name) {
  std::string text = fmt::format("{}: {}", name, format_name(info.format));
  if (info.width > 0) text += fmt::format(", {}x{}", info.width, info.height);
  text += info.marked_generated ? ", marked as made by a trained model\n" : ", no AI mark\n";
  if (settings.is_object()) {
    for (const auto& [key, value] : settings.items()) {
      // A prompt may hold any characters. quote() and the ASCII dump escape control characters.
      const bool long_array = value.is_array() && value.size() > kLongestShownArray;
      const std::string shown =
          long_array ? fmt::format("{} values", value.size())
          : value.is_string()
              ? quote(value.get<std::string>(), key == "thought" ? kLongestShown : 200)
              : value.dump(-1, ' ', true, nlohmann::json::error_handler_t::replace);
      const std::string label = quote(key, 40);
      text += fmt::format("  {:16} {}\n", label.substr(1, label.size() - 2), shown);
    }
  } else if (!info.metadata.parameters.empty()) {
    text += "  parameters       " + quote(info.metadata.parameters, 2000) + "\n";
  } else {
    text += "  no settings\n";
  }
  return text;
}

std::string json_report(const PictureFileInfo& info, const nlohmann::json& settings,
                        const std::string& file) {
  const nlohmann::json report = {{"schema", 1},
                                 {"file", file},
                                 {"format", format_name(info.format)},
                                 {"width", info.width},
                                 {"height", info.height},
                                 {"marked_generated", info.marked_generated},
                                 {"parameters", info.metadata.parameters},
                                 {"settings", settings}};
  // ASCII only, because text from the file may contain control characters of a terminal.
  return report.dump(-1, ' ', true, nlohmann::json::error_handler_t::replace) + "\n";
}

// The report about one file. Throws Error that names it.
std::string report_about(const std::string& path, bool as_json) {
  const std::string name = path == "-" ? "stdin" : quote(path);
  const std::string file = picture_bytes(path);
  PictureFileInfo info;
  try {
    info = read_picture_info({reinterpret_cast<const uint8_t*>(file.data()), file.size()});
  } catch (const Error& error) {
    throw Error(error.kind(), name + ": " + error.what());
  }
  const nlohmann::json settings = settings_json(info, name);
  return as_json ? json_report(info, settings, path) : human_report(info, settings, name);
}

std::string json_failure(const std::string& path, const Error& error) {
  const nlohmann::json report = {{"schema", 1}, {"file", path}, {"error", error.what()}};
  return report.dump(-1, ' ', true, nlohmann::json::error_handler_t::replace) + "\n";
}

struct Info {
  std::vector<std::string> files;  // - is stdin
  bool json = false;

  // After a file that cannot be read, the other files are still reported.
  int run() const {
    bool failed = false;
    for (const std::string& path : files) {
      heed_stop();
      std::string report;
      try {
        report = report_about(path, json);
      } catch (const Error& error) {
        if (files.size() == 1 || error.kind() == ErrorKind::kInterrupted) throw;
        print_stderr(fmt::format("bifrons: {}\n", error.what()));
        failed = true;
        if (json) report = json_failure(path, error);
      }
      write_stdout(report);
    }
    return failed ? kExitSomeFailed : 0;
  }
};

}  // namespace

void add_info(CLI::App& app, Chosen& chosen) {
  const auto info = std::make_shared<Info>();
  CLI::App& command = add_command(app, "info", "Show what pictures say about themselves", chosen,
                                  [info] { return info->run(); });
  add_operands(command, "FILE", info->files, "PNG, JPEG or WebP files; - is stdin");
  add_flag(command, "--json", info->json, "Print a JSON object a picture, each on its line");
}

}  // namespace bifrons::cli
