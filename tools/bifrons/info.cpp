// `bifrons info`: what pictures say about themselves.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "src/io/quote.h"
#include "tools/bifrons/commands.h"
#include "tools/bifrons/picture_input.h"
#include "tools/bifrons/session.h"
#include "tools/bifrons/signals.h"
#include "tools/bifrons/streams.h"
#include "tools/bifrons/untrusted_json.h"

namespace bifrons::cli {
namespace {

constexpr size_t kLongestShownArray = 8;

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

// Our settings object if the picture has one; one from elsewhere may be anything, so it is parsed
// with care and not copied before its depth is known.
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
      // A prompt from a file may hold anything; JSON escapes controls, quote() the rest.
      const bool long_array = value.is_array() && value.size() > kLongestShownArray;
      const std::string shown =
          long_array          ? fmt::format("{} values", value.size())
          : value.is_string() ? quote(value.get<std::string>())
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
  // ASCII only: a file from elsewhere must not reach the terminal through us.
  return report.dump(-1, ' ', true, nlohmann::json::error_handler_t::replace) + "\n";
}

// What is printed about one file. Throws Error naming it.
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

}  // namespace

// One of several files that cannot be read does not hide the others.
int run(const InfoArguments& arguments) {
  bool failed = false;
  for (const std::string& path : arguments.files) {
    if (stop_requested()) throw Error(ErrorKind::kInterrupted, "stopped");
    std::string report;
    try {
      report = report_about(path, arguments.json);
    } catch (const Error& error) {
      if (arguments.files.size() == 1 || error.kind() == ErrorKind::kInterrupted) throw;
      print_stderr(fmt::format("bifrons: {}\n", error.what()));
      failed = true;
      if (arguments.json) report = json_failure(path, error);
    }
    write_stdout(report);
  }
  return failed ? kExitSomeFailed : 0;
}

}  // namespace bifrons::cli
