// `bifrons describe` and `bifrons ask`, and what they share with `bifrons chat`.
#include "tools/bifrons/sight.h"

#include <fmt/format.h>

#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>

#include "kernels/utf8.h"
#include "src/io/quote.h"
#include "src/io/text.h"
#include "tools/bifrons/commands.h"
#include "tools/bifrons/model_place.h"
#include "tools/bifrons/picture_input.h"
#include "tools/bifrons/session.h"
#include "tools/bifrons/signals.h"
#include "tools/bifrons/streams.h"

namespace bifrons::cli {
namespace {

using nlohmann::json;

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

void print(const json& object) {
  write_stdout(plain_json(object.dump(-1, ' ', false, json::error_handler_t::replace)) + "\n");
}

json report(const Sight& sight, json replies) {
  const ModelInfo& model = sight.engine.model();
  return {{"schema", 1},
          {"model", {{"name", model.name}, {"hash", model.weights_hash}}},
          {"device", sight.engine.device()},
          {"replies", std::move(replies)}};
}

std::string question_from_stdin() {
  std::string question = read_stdin(kLongestPrompt);
  if (const auto at = invalid_utf8(question)) {
    throw Error(ErrorKind::kData, fmt::format("stdin is not valid UTF-8 at byte {}", *at));
  }
  return question;
}

json describe_one(Sight& sight, const SightArguments& arguments, const std::string& path,
                  const Picture& picture) {
  const std::string question = arguments.question.value_or(sight.understanding.describe_question());
  sight.understanding.reset();
  sight.understanding.show(picture);
  // Among several, each line says whose it is.
  if (!arguments.json && arguments.images.size() > 1) write_stdout(quote_if_needed(path) + ": ");
  json record = record_of(converse(sight.understanding, arguments, question));
  record["image"] = path;
  record["question"] = question;
  return record;
}

// One of several pictures that cannot be read does not keep the others from being described.
int describe(Sight& sight, const SightArguments& arguments) {
  json replies = json::array();
  bool failed = false;
  for (const std::string& path : arguments.images) {
    std::optional<Picture> picture;
    try {
      picture = picture_for(arguments, path);
    } catch (const Error& error) {
      if (arguments.images.size() == 1) throw;
      print_stderr(fmt::format("bifrons: {}\n", error.what()));
      replies.push_back({{"image", path}, {"error", error.what()}});
      failed = true;
      continue;
    }
    replies.push_back(describe_one(sight, arguments, path, *picture));
  }
  if (arguments.json) print(report(sight, std::move(replies)));
  return failed ? kExitSomeFailed : 0;
}

int ask(Sight& sight, const SightArguments& arguments) {
  const std::string question = arguments.asked == "-" ? question_from_stdin() : arguments.asked;
  std::vector<std::string> paths{arguments.image};
  paths.insert(paths.end(), arguments.images.begin(), arguments.images.end());
  for (const std::string& path : paths) {
    sight.understanding.show(picture_for(arguments, path));
  }
  const Reply reply = converse(sight.understanding, arguments, question);
  if (arguments.json) {
    json record = record_of(reply);
    record["images"] = paths;
    record["question"] = question;
    print(report(sight, json::array({std::move(record)})));
  }
  return 0;
}

// A pipe gives its bytes once, and no earlier than they are needed.
bool can_be_read_twice(const std::string& path) {
  std::error_code error;
  return path != "-" && !std::filesystem::is_fifo(path, error);
}

}  // namespace

Sight open_sight(const SightArguments& arguments) {
  check_stdout();
  const ModelPlace place = find_model(arguments.model);
  EngineOptions options;
  options.model = place.directory;
  options.device = arguments.device;
  options.threads = arguments.threads;
  Engine engine = open_engine(options, place.built_in, arguments.verbosity);
  Understanding understanding = Understanding::open(engine);
  if (arguments.system) understanding.set_system_prompt(*arguments.system);
  return {std::move(engine), std::move(understanding)};
}

Picture picture_for(const SightArguments& arguments, const std::string& path) {
  return read_picture_file(
      path, arguments.apply_orientation ? Orientation::kApply : Orientation::kAsStored);
}

Reply converse(Understanding& understanding, const SightArguments& arguments,
               std::string_view words) {
  const bool terminal = stdout_is_terminal();
  const Reply reply = understanding.say(words, arguments.reply, [&](std::string_view piece) {
    if (!arguments.json) write_stdout(terminal ? harmless(piece) : std::string(piece));
    return !stop_requested();
  });
  if (!arguments.json) write_stdout("\n");
  if (reply.end == ReplyEnd::kLeft) throw Error(ErrorKind::kInterrupted, "stopped");
  if (reply.end == ReplyEnd::kLength) {
    log(arguments.verbosity, fmt::format("the reply was cut at {} tokens", reply.tokens.size()));
  }
  if (arguments.verbosity.verbose) {
    log(arguments.verbosity, fmt::format("{} tokens heard, {} of them before; {} said; first after "
                                         "{:.2f} s, all after {:.2f} s",
                                         reply.prompt_tokens, reply.cached_tokens,
                                         reply.tokens.size(), reply.first_seconds, reply.seconds));
  }
  return reply;
}

json record_of(const Reply& reply) {
  return {{"text", reply.text},
          {"end", name_of(reply.end)},
          {"tokens", reply.tokens.size()},
          {"prompt_tokens", reply.prompt_tokens},
          {"first_seconds", reply.first_seconds},
          {"seconds", reply.seconds}};
}

int run(const SightArguments& arguments) {
  // What can fail without the model fails before it is loaded.
  if (arguments.command == SightCommand::kAsk || arguments.images.size() == 1) {
    for (const std::string& path : arguments.images) {
      if (can_be_read_twice(path)) picture_for(arguments, path);
    }
  }
  if (!arguments.image.empty() && can_be_read_twice(arguments.image)) {
    picture_for(arguments, arguments.image);
  }
  Sight sight = open_sight(arguments);
  switch (arguments.command) {
    case SightCommand::kDescribe:
      return describe(sight, arguments);
    case SightCommand::kAsk:
      return ask(sight, arguments);
    case SightCommand::kChat:
      break;
  }
  return chat(sight, arguments);
}

}  // namespace bifrons::cli
