// Conversations of the C interface, on src/understand.h.
#include "src/c/guarded.h"
#include "src/understand.h"

struct bifrons_chat {
  bifrons::Understanding understanding;
};

namespace {

using namespace bifrons::c;

bifrons_reply_options default_reply() {
  const bifrons::ReplyOptions from;
  return {sizeof(bifrons_reply_options),
          from.temperature,
          from.top_k,
          from.top_p,
          from.seed,
          from.max_tokens};
}

}  // namespace

extern "C" {

void bifrons_reply_options_init(bifrons_reply_options* options, size_t size) {
  copy_out(default_reply(), options, size);
}

bifrons_status bifrons_chat_open(bifrons_engine* engine, bifrons_chat** chat,
                                 bifrons_error* error) {
  return guarded(error, [&] {
    bifrons_chat*& out = required(chat, "chat");
    out = new bifrons_chat{bifrons::Understanding::open(required(engine, "engine").engine)};
  });
}

void bifrons_chat_close(bifrons_chat* chat) { delete chat; }

bifrons_status bifrons_chat_show(bifrons_chat* chat, const uint8_t* rgb, int64_t width,
                                 int64_t height, bifrons_error* error) {
  return guarded(
      error, [&] { required(chat, "chat").understanding.show(picture_of(rgb, width, height)); });
}

bifrons_status bifrons_chat_say(bifrons_chat* chat, const char* words,
                                const bifrons_reply_options* options, bifrons_listener listener,
                                void* user, char** reply, bifrons_error* error) {
  return guarded(error, [&] {
    bifrons::Understanding& with = required(chat, "chat").understanding;
    char*& out = required(reply, "reply");
    const bifrons_reply_options from =
        options == nullptr ? default_reply() : copy_in(options, default_reply(), "options");
    bifrons::ReplyOptions asked;
    asked.temperature = from.temperature;
    asked.top_k = from.top_k;
    asked.top_p = from.top_p;
    asked.seed = from.seed;
    asked.max_tokens = from.max_tokens;
    bifrons::Listener hear;
    if (listener != nullptr) {
      hear = [&](std::string_view piece) {
        return listener(user, std::string(piece).c_str()) == 1;
      };
    }
    const std::string said = words == nullptr ? with.describe_question() : std::string(words);
    const bifrons::Reply answer = with.say(said, asked, hear);
    out = allocated(answer.text.data(), answer.text.size(), 1);
  });
}

void bifrons_chat_reset(bifrons_chat* chat) {
  if (chat != nullptr) guarded(nullptr, [&] { chat->understanding.reset(); });
}

}  // extern "C"
