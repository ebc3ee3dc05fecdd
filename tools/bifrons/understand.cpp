// If stdout is a terminal, replies are printed without control characters, because a model is
// untrusted.
#include "tools/bifrons/understand.h"

#include <fmt/format.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "tools/bifrons/session.h"
#include "tools/bifrons/setting_aliases.h"
#include "tools/bifrons/settings.h"
#include "tools/bifrons/signals.h"
#include "tools/bifrons/streams.h"

namespace bifrons::cli {
namespace {

constexpr uint64_t kLongestReply = 1'000'000;

std::string_view name_of(ReplyEnd end) {
  switch (end) {
    case ReplyEnd::kDone:
      return "done";
    case ReplyEnd::kStop:
      return "stop";
    case ReplyEnd::kLength:
      return "length";
    case ReplyEnd::kLeft:
      break;
  }
  return "left";
}

void add_sampling_options(CLI::App& command, ReplyOptions& reply) {
  const auto add = [&command](const char* names, const TakeText& take, const char* about) {
    add_value(command, names, "NUMBER", take, about);
  };
  add(
      "--temp,--temperature",
      [&reply](const std::string& text) {
        reply.temperature = parse_setting(settings::kTemperature, "--temp", text);
      },
      "0 takes the likeliest word (default), 1 draws as trained");
  add(
      "--top-k",
      [&reply](const std::string& text) {
        reply.top_k = parse_setting(settings::kTopK, "--top-k", text);
      },
      "Draw among the K likeliest tokens; 0 is off (default)");
  add(
      "--top-p",
      [&reply](const std::string& text) {
        reply.top_p = parse_setting(settings::kTopP, "--top-p", text);
      },
      "Draw among the likeliest tokens of mass P; 1 is off (default)");
  add(
      "-s,--seed", [&reply](const std::string& text) { reply.seed = parse_seed("--seed", text); },
      "Seed of drawn replies; -1 is random (default 0)");
  add_setting_aliases(command);
}

}  // namespace

void UnderstandFlags::add_to(CLI::App& command) {
  add_sampling_options(command, reply);
  add_whole(command, "--max-tokens", "N", 1, kLongestReply, reply.max_tokens,
            "Longest reply, in tokens (default 512)");
  add_value(command, "--stop", "TEXT",
            [this](const std::string& text) {
              if (text.empty()) throw Error(ErrorKind::kUsage, "--stop takes a text, not nothing");
              reply.stop.push_back(text);
            },
            "A text that ends a reply; may be given several times", {.each = true});
  add_value(
      command, "--system", "TEXT",
      [this](const std::string& text) {
        check_text("the system prompt", text);
        system = text;
      },
      "What stands in front of the conversation, for the model's own");
  add_flag(command, "--allow-special", reply.allow_special,
           "Special tokens written in words count as such");
  add_orientation(command, orientation);
  add_flag(command, "--json", json, "Print JSON instead of text");
  engine.add_to(command);
  verbosity.add_to(command);
}

OpenModel open_model(const UnderstandFlags& flags) {
  check_stdout();
  Engine engine = open_engine(flags.engine.setup(), flags.verbosity);
  Understanding understanding = Understanding::open(engine);
  if (flags.system) understanding.set_system_prompt(*flags.system);
  return {std::move(engine), std::move(understanding)};
}

void check_picture(const UnderstandFlags& flags, const std::string& path) {
  std::error_code error;
  if (path == "-" || std::filesystem::is_fifo(path, error)) return;
  read_picture_file(path, flags.orientation);
}

Reply converse(Understanding& understanding, const UnderstandFlags& flags, std::string_view words) {
  const bool terminal = stdout_is_terminal();
  const Reply reply = understanding.say(words, flags.reply, [&](std::string_view piece) {
    if (!flags.json) write_stdout(terminal ? harmless(piece) : std::string(piece));
    return !stop_requested();
  });
  if (!flags.json) write_stdout("\n");
  if (reply.end == ReplyEnd::kLeft) throw Error(ErrorKind::kInterrupted, "stopped");
  if (reply.end == ReplyEnd::kLength) {
    log(flags.verbosity, fmt::format("the reply was cut at {} tokens", reply.tokens.size()));
  }
  if (flags.verbosity.verbose) {
    log(flags.verbosity,
        fmt::format(
            "{} prompt tokens, {} of them cached; {} in the reply; first after {:.2f} s, all "
            "after {:.2f} s",
            reply.prompt_tokens, reply.cached_tokens, reply.tokens.size(), reply.first_seconds,
            reply.seconds));
  }
  return reply;
}

nlohmann::json record_of(const Reply& reply) {
  return {{"text", reply.text},
          {"end", name_of(reply.end)},
          {"tokens", reply.tokens.size()},
          {"prompt_tokens", reply.prompt_tokens},
          {"first_seconds", reply.first_seconds},
          {"seconds", reply.seconds}};
}

void print_replies(const Engine& engine, const nlohmann::json& replies) {
  print_json({{"schema", 1},
              {"model", model_record(engine.model())},
              {"device", engine.device()},
              {"replies", replies}});
}

}  // namespace bifrons::cli
