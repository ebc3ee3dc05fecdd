/* The C interface from C: c_interface MODEL_DIRECTORY. Ends with 0, or says the line that failed.
 */
#include <bifrons/bifrons_c.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXPECT(holds)                                                         \
  do {                                                                        \
    if (!(holds)) {                                                           \
      fprintf(stderr, "line %d: %s (%s)\n", __LINE__, #holds, error.message); \
      exit(1);                                                                \
    }                                                                         \
  } while (0)

static bifrons_error error;

static bifrons_drawing* draw(bifrons_engine* engine, const char* prompt, uint64_t seed) {
  bifrons_request request;
  bifrons_drawing* drawing = NULL;
  bifrons_request_init(&request, sizeof request);
  request.prompt = prompt;
  request.seed = seed;
  EXPECT(bifrons_engine_draw(engine, &request, NULL, NULL, &drawing, &error) == BIFRONS_OK);
  EXPECT(error.status == BIFRONS_OK && error.message[0] == 0);
  return drawing;
}

static int same(const bifrons_drawing* a, const bifrons_drawing* b) {
  const size_t codes = bifrons_drawing_code_count(a);
  const int64_t bytes = bifrons_drawing_width(a) * bifrons_drawing_height(a) * 3;
  return codes == bifrons_drawing_code_count(b) &&
         memcmp(bifrons_drawing_codes(a), bifrons_drawing_codes(b), codes * 4) == 0 &&
         memcmp(bifrons_drawing_rgb(a), bifrons_drawing_rgb(b), (size_t)bytes) == 0;
}

static int stop_at(void* user, int64_t done, int64_t total) {
  *(int64_t*)user = done;
  return done < 3 && done <= total;
}

static void failures_have_a_status_and_a_sentence(bifrons_engine* engine) {
  bifrons_engine_options options;
  bifrons_engine* none = NULL;
  bifrons_request request;
  bifrons_drawing* drawing = NULL;
  int64_t at = 0;
  bifrons_engine_options_init(&options, sizeof options);
  EXPECT(bifrons_engine_open(&options, &none, &error) == BIFRONS_USAGE && none == NULL);
  options.model = "/nowhere/model";
  EXPECT(bifrons_engine_open(&options, &none, &error) == BIFRONS_MISSING && none == NULL);
  EXPECT(strstr(error.message, "/nowhere/model") != NULL && error.status == BIFRONS_MISSING);
  EXPECT(bifrons_engine_open(&options, &none, NULL) == BIFRONS_MISSING);
  EXPECT(bifrons_engine_open(NULL, &none, &error) == BIFRONS_USAGE);
  bifrons_request_init(&request, sizeof request);
  EXPECT(bifrons_engine_draw(engine, &request, NULL, NULL, &drawing, &error) == BIFRONS_USAGE);
  request.prompt = "a fox";
  EXPECT(bifrons_engine_draw(NULL, &request, NULL, NULL, &drawing, &error) == BIFRONS_USAGE);
  request.top_p = 7;
  EXPECT(bifrons_engine_draw(engine, &request, NULL, NULL, &drawing, &error) == BIFRONS_USAGE);
  request.top_p = 1;
  EXPECT(bifrons_engine_draw(engine, &request, stop_at, &at, &drawing, &error) ==
         BIFRONS_INTERRUPTED);
  EXPECT(at >= 3 && drawing == NULL);
  request.prompt = "\xff";
  EXPECT(bifrons_engine_draw(engine, &request, NULL, NULL, &drawing, &error) == BIFRONS_DATA ||
         error.status == BIFRONS_USAGE);
  memset(&request, 0, sizeof request);
  EXPECT(bifrons_engine_draw(engine, &request, NULL, NULL, &drawing, &error) == BIFRONS_USAGE);
}

/* A caller whose structure ends earlier gets the defaults of the members that it lacks. */
static void shorter_structures_are_taken(bifrons_engine* engine) {
  struct {
    bifrons_request request;
  } old;
  bifrons_drawing *drawing = NULL, *expected = draw(engine, "a fox", 3);
  memset(&old, 0x5a, sizeof old);
  bifrons_request_init(&old.request, offsetof(bifrons_request, guidance));
  EXPECT(((unsigned char*)&old)[offsetof(bifrons_request, guidance)] == 0x5a);
  old.request.prompt = "a fox";
  old.request.seed = 3;
  EXPECT(bifrons_engine_draw(engine, &old.request, NULL, NULL, &drawing, &error) == BIFRONS_OK);
  EXPECT(same(drawing, expected));
  bifrons_drawing_free(drawing);
  bifrons_drawing_free(expected);
}

typedef struct {
  uint64_t given, most;
  bifrons_drawing* drawings[8];
  int failed, taken, stop_after;
} jobs;

static int give(void* user, uint64_t* id, bifrons_request* request) {
  jobs* all = user;
  if (all->given == all->most) return 0;
  *id = all->given++;
  request->prompt = *id == 2 ? "\xff" : "a fox"; /* one job is refused */
  request->seed = *id;
  return 1;
}

static int take(void* user, uint64_t id, bifrons_drawing* drawing, const bifrons_error* fault) {
  jobs* all = user;
  if (drawing == NULL) all->failed += fault->status != BIFRONS_OK && fault->message[0] != 0;
  all->drawings[id % 8] = drawing;
  return ++all->taken != all->stop_after;
}

static void batches_give_the_same_pictures(bifrons_engine* engine) {
  bifrons_batch batch;
  jobs all = {0, 4, {NULL}, 0, 0, -1};
  jobs few = {0, 8, {NULL}, 0, 0, 1};
  int i;
  bifrons_batch_init(&batch, sizeof batch);
  EXPECT(bifrons_engine_draw_batch(engine, &batch, &error) == BIFRONS_USAGE);
  batch.source = give;
  batch.sink = take;
  batch.user = &all;
  batch.lanes = 2;
  EXPECT(bifrons_engine_draw_batch(engine, &batch, &error) == BIFRONS_OK);
  EXPECT(all.taken == 4 && all.failed == 1 && all.drawings[2] == NULL);
  for (i = 0; i < 4; i += 3) {
    bifrons_drawing* alone = draw(engine, "a fox", (uint64_t)i);
    EXPECT(same(alone, all.drawings[i]));
    bifrons_drawing_free(alone);
  }
  batch.user = &few;
  EXPECT(bifrons_engine_draw_batch(engine, &batch, &error) == BIFRONS_INTERRUPTED);
  for (i = 0; i < 8; ++i) {
    bifrons_drawing_free(all.drawings[i]);
    bifrons_drawing_free(few.drawings[i]);
  }
}

static void pictures_go_to_files_and_codes_and_back(bifrons_engine* engine,
                                                    const bifrons_model_info* info) {
  bifrons_drawing *drawing = draw(engine, "a fox", 1), *read = NULL, *decoded = NULL;
  bifrons_drawing* encoded = NULL;
  const int64_t side = bifrons_drawing_width(drawing);
  uint8_t* file = NULL;
  size_t count = 0;
  EXPECT(side == info->image_size && bifrons_drawing_height(drawing) == side);
  EXPECT((int64_t)bifrons_drawing_code_count(drawing) == info->image_tokens);
  EXPECT(bifrons_encode_file(bifrons_drawing_rgb(drawing), side, side, "png", &file, &count,
                             &error) == BIFRONS_OK);
  EXPECT(bifrons_decode_file(file, count, &read, &error) == BIFRONS_OK);
  EXPECT(memcmp(bifrons_drawing_rgb(read), bifrons_drawing_rgb(drawing),
                (size_t)(side * side * 3)) == 0);
  EXPECT(bifrons_encode_file(file, 1, 1, "bmp", &file, &count, &error) == BIFRONS_USAGE);
  EXPECT(bifrons_encode_file(file, -1, 1, "png", &file, &count, &error) == BIFRONS_USAGE);
  EXPECT(bifrons_engine_decode(engine, bifrons_drawing_codes(drawing),
                               bifrons_drawing_code_count(drawing), &decoded,
                               &error) == BIFRONS_OK);
  EXPECT(same(decoded, drawing));
  EXPECT(bifrons_engine_decode(engine, bifrons_drawing_codes(drawing), 1, &encoded, &error) ==
         BIFRONS_DATA);
  EXPECT(bifrons_engine_encode(engine, bifrons_drawing_rgb(drawing), side, side, &encoded,
                               &error) == BIFRONS_OK);
  EXPECT((int64_t)bifrons_drawing_code_count(encoded) == info->image_tokens);
  bifrons_free(file);
  bifrons_drawing_free(drawing);
  bifrons_drawing_free(read);
  bifrons_drawing_free(decoded);
  bifrons_drawing_free(encoded);
}

static int hear(void* user, const char* piece) {
  strncat((char*)user, piece, 255 - strlen((char*)user));
  return 1;
}

static void the_model_talks_about_a_picture(bifrons_engine* engine) {
  bifrons_chat* chat = NULL;
  bifrons_drawing* drawing = draw(engine, "a fox", 1);
  char *reply = NULL, heard[256] = "";
  bifrons_reply_options options;
  if (bifrons_chat_open(engine, &chat, &error) == BIFRONS_OK) {
    bifrons_reply_options_init(&options, sizeof options);
    options.max_tokens = 40;
    EXPECT(bifrons_chat_show(chat, bifrons_drawing_rgb(drawing), bifrons_drawing_width(drawing),
                             bifrons_drawing_height(drawing), &error) == BIFRONS_OK);
    EXPECT(bifrons_chat_say(chat, NULL, &options, hear, heard, &reply, &error) == BIFRONS_OK);
    EXPECT(strlen(reply) > 0 && strstr(heard, reply) != NULL);
    bifrons_free(reply);
    bifrons_chat_reset(chat);
    bifrons_chat_close(chat);
  } else {
    EXPECT(error.status == BIFRONS_DATA);
  }
  bifrons_drawing_free(drawing);
}

static void thoughts_are_written_or_given(bifrons_engine* engine) {
  bifrons_think_options options;
  bifrons_thinking* thinking = NULL;
  bifrons_request request;
  bifrons_drawing *plain = draw(engine, "a fox", 1), *written = NULL, *given = NULL;
  EXPECT(bifrons_drawing_thought(plain) == NULL && bifrons_drawing_thought(NULL) == NULL);
  bifrons_request_init(&request, sizeof request);
  request.prompt = "a fox";
  request.seed = 1;
  bifrons_think_options_init(&options, sizeof options);
  options.style = "no style";
  EXPECT(bifrons_thinking_open(engine, &options, &thinking, &error) == BIFRONS_USAGE);
  EXPECT(strstr(error.message, "got-r1") != NULL && thinking == NULL);
  options.style = "janus-pro-r1";
  options.max_tokens = 8;
  EXPECT(bifrons_thinking_open(engine, &options, &thinking, &error) == BIFRONS_OK);
  request.thinking = thinking;
  EXPECT(bifrons_engine_draw(engine, &request, NULL, NULL, &written, &error) == BIFRONS_OK);
  bifrons_thinking_close(thinking);
  EXPECT(bifrons_drawing_thought(written) != NULL);
  options.thought = "It sleeps in the snow.";
  EXPECT(bifrons_thinking_open(engine, &options, &thinking, &error) == BIFRONS_OK);
  request.thinking = thinking;
  EXPECT(bifrons_engine_draw(engine, &request, NULL, NULL, &given, &error) == BIFRONS_OK);
  EXPECT(strcmp(bifrons_drawing_thought(given), options.thought) == 0);
  EXPECT(!same(given, plain));
  bifrons_thinking_close(thinking);
  bifrons_thinking_close(NULL);
  bifrons_drawing_free(plain);
  bifrons_drawing_free(written);
  bifrons_drawing_free(given);
}

typedef struct {
  bifrons_editor* editor;
  uint64_t given;
  bifrons_drawing* drawings[3];
} edits;

/* A plain picture, then one of three rows, then a plain one. */
static int give_edit(void* user, uint64_t* id, bifrons_request* request) {
  edits* all = user;
  if (all->given == 3) return 0;
  *id = all->given++;
  request->prompt = "a fox";
  request->seed = *id;
  if (*id == 1) request->editor = all->editor;
  return 1;
}

static int take_edit(void* user, uint64_t id, bifrons_drawing* drawing,
                     const bifrons_error* fault) {
  edits* all = user;
  all->drawings[id] = drawing;
  return fault == NULL;
}

static void pictures_are_changed(bifrons_engine* engine) {
  bifrons_editor* editor = NULL;
  bifrons_request request;
  bifrons_drawing *before = draw(engine, "a fox", 0), *after = NULL, *third = draw(engine, "a fox", 2);
  bifrons_batch batch;
  edits all = {NULL, 0, {NULL}};
  int i;
  EXPECT(bifrons_editor_open(engine, "no style", &editor, &error) == BIFRONS_USAGE);
  if (bifrons_editor_open(engine, NULL, &editor, &error) != BIFRONS_OK) {
    EXPECT(error.status == BIFRONS_DATA && editor == NULL); /* this model does not see */
  } else {
    EXPECT(bifrons_editor_show(editor, bifrons_drawing_rgb(before), bifrons_drawing_width(before),
                               bifrons_drawing_height(before), &error) == BIFRONS_OK);
    bifrons_request_init(&request, sizeof request);
    request.prompt = "a fox";
    request.seed = 1;
    request.editor = editor;
    request.negative_prompt = "red";
    EXPECT(bifrons_engine_draw(engine, &request, NULL, NULL, &after, &error) == BIFRONS_USAGE);
    request.negative_prompt = NULL;
    EXPECT(bifrons_engine_draw(engine, &request, NULL, NULL, &after, &error) == BIFRONS_OK);
    bifrons_batch_init(&batch, sizeof batch);
    batch.source = give_edit;
    batch.sink = take_edit;
    batch.user = &all;
    all.editor = editor;
    EXPECT(bifrons_engine_draw_batch(engine, &batch, &error) == BIFRONS_OK);
    EXPECT(same(all.drawings[0], before) && same(all.drawings[1], after));
    EXPECT(same(all.drawings[2], third));
    for (i = 0; i < 3; ++i) bifrons_drawing_free(all.drawings[i]);
    bifrons_drawing_free(after);
    bifrons_editor_close(editor);
  }
  bifrons_editor_close(NULL);
  bifrons_drawing_free(before);
  bifrons_drawing_free(third);
}

static void quantised_models_open(const char* model) {
  bifrons_engine_options options;
  bifrons_model_info info;
  bifrons_engine* engine = NULL;
  bifrons_engine_options_init(&options, sizeof options);
  options.model = model;
  options.device = "cpu";
  options.weights = "int4";
  options.kv = "int8";
  EXPECT(bifrons_engine_open(&options, &engine, &error) == BIFRONS_OK);
  EXPECT(bifrons_engine_info(engine, &info, sizeof info, &error) == BIFRONS_OK);
  EXPECT(strcmp(info.weights_dtype, "int4") == 0);
  bifrons_engine_close(engine);
  options.weights = "int3";
  EXPECT(bifrons_engine_open(&options, &engine, &error) == BIFRONS_USAGE);
  EXPECT(strcmp(error.message, "weights is one of stored, int8, int4") == 0);
}

int main(int argc, char** argv) {
  bifrons_engine_options options;
  bifrons_model_info info;
  bifrons_engine* engine = NULL;
  EXPECT(argc == 2);
  bifrons_engine_options_init(&options, sizeof options);
  options.model = argv[1];
  options.device = "cpu";
  EXPECT(bifrons_engine_open(&options, &engine, &error) == BIFRONS_OK);
  EXPECT(bifrons_engine_info(engine, &info, sizeof info, &error) == BIFRONS_OK);
  EXPECT(strcmp(info.name, "storybook") == 0 && strncmp(info.device, "cpu", 3) == 0);
  failures_have_a_status_and_a_sentence(engine);
  shorter_structures_are_taken(engine);
  batches_give_the_same_pictures(engine);
  pictures_go_to_files_and_codes_and_back(engine, &info);
  the_model_talks_about_a_picture(engine);
  thoughts_are_written_or_given(engine);
  pictures_are_changed(engine);
  bifrons_engine_close(engine);
  quantised_models_open(argv[1]);
  bifrons_engine_close(NULL);
  bifrons_drawing_free(NULL);
  bifrons_chat_close(NULL);
  return 0;
}
