/* The C interface: open a model, draw pictures, decode and encode codes, talk about pictures.
 *
 * - A function that can fail returns a bifrons_status. Unless it is BIFRONS_OK, *error has the same
 *   number and one sentence, and no other output is written. `error` may be NULL.
 * - No C++ exception leaves a function. Callbacks must not throw or jump either.
 * - A structure with `size` is filled by its init function, which gets sizeof, and then changed.
 *   Thereby a program also runs with a later version of the library, whose structures are longer.
 * - Texts are UTF-8 and end with a zero byte. Pixels are 8-bit RGB, rows from top to bottom.
 * - An engine, and the chats on it, serve one thread at a time. Two engines are independent. */
#ifndef BIFRONS_C_H
#define BIFRONS_C_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What failed: the exit codes of the command line. */
typedef enum bifrons_status {
  BIFRONS_OK = 0,
  BIFRONS_FAILED = 1,       /* a fault of the library */
  BIFRONS_USAGE = 2,        /* an argument: a null pointer, a setting out of range */
  BIFRONS_DATA = 65,        /* a file or its contents are unusable */
  BIFRONS_MISSING = 66,     /* no such model */
  BIFRONS_UNAVAILABLE = 69, /* no usable device, or not enough memory */
  BIFRONS_CANNOT_WRITE = 73,
  BIFRONS_INTERRUPTED = 75 /* a callback stopped it */
} bifrons_status;

typedef struct bifrons_error {
  int32_t status;
  char message[2044]; /* cut between characters if it is longer */
} bifrons_error;

typedef struct bifrons_engine bifrons_engine;     /* an open model on a device */
typedef struct bifrons_drawing bifrons_drawing;   /* a picture and its codes */
typedef struct bifrons_chat bifrons_chat;         /* a conversation about pictures */
typedef struct bifrons_thinking bifrons_thinking; /* what is written before a picture */
typedef struct bifrons_editor bifrons_editor;     /* a picture that instructions change */

/* "0.1.0". */
const char* bifrons_version(void);

typedef struct bifrons_engine_options {
  size_t size;
  const char* model;        /* a model directory */
  const char* device;       /* "auto" (default), "cpu", "cpu:ISA", "cuda", "cuda:N" */
  int32_t threads;          /* 0 (default): all cores this process may use */
  int32_t pictures_at_once; /* lanes of draw; never changes a picture */
  int32_t speculate;        /* as EngineOptions::speculate of bifrons.h */
  int32_t rope_bf16;        /* 1: RoPE frequencies as in the original scripts */
  const char* weights; /* "stored" (default), "int8", "int4": linear layers, quantised at load */
  const char* kv;      /* "stored" (default), "int8": the KV cache */
} bifrons_engine_options;
void bifrons_engine_options_init(bifrons_engine_options* options, size_t size);

/* Statuses: missing, data, unavailable, usage. */
bifrons_status bifrons_engine_open(const bifrons_engine_options* options, bifrons_engine** engine,
                                   bifrons_error* error);
/* NULL is ignored. Chats, thinkings and editors on the engine are closed first. */
void bifrons_engine_close(bifrons_engine* engine);

/* Texts are valid until the engine is closed. */
typedef struct bifrons_model_info {
  size_t size;
  const char* name;
  const char* directory;
  const char* form;          /* "original" or "hugging face" */
  const char* weights_dtype; /* "bf16", "f16", "f32", "int8" or "int4" */
  const char* weights_hash;
  const char* device;   /* such as "cpu amx, 2 threads" */
  int64_t image_size;   /* pixels of a side */
  int64_t image_tokens; /* codes of a picture */
  int64_t codebook;     /* codes are below this */
} bifrons_model_info;
bifrons_status bifrons_engine_info(const bifrons_engine* engine, bifrons_model_info* info,
                                   size_t size, bifrons_error* error);

/* How the model thinks before it draws, in words that become a part of the prompt. */
typedef struct bifrons_think_options {
  size_t size;
  const char* style;   /* a built-in style, or a style as JSON (docs/think.md); NULL (default): that
                          of the model */
  const char* thought; /* NULL (default): the model writes it */
  double temperature;  /* of the thought; negative (default): the style's */
  int64_t top_k;       /* negative (default): the style's */
  int64_t max_tokens;  /* 0 (default): the style's */
} bifrons_think_options;
void bifrons_think_options_init(bifrons_think_options* options, size_t size);

/* For any number of requests to this engine. `options` may be NULL. Statuses: usage; data: this
 * model writes no text. It may be closed when its pictures are not drawn yet. */
bifrons_status bifrons_thinking_open(bifrons_engine* engine, const bifrons_think_options* options,
                                     bifrons_thinking** thinking, bifrons_error* error);
void bifrons_thinking_close(bifrons_thinking* thinking); /* NULL is ignored */

/* Changes pictures by instructions, with a model that was trained for it. `style`: the form in
 * which it was trained (docs/edit.md); NULL: by its name, or else janus-4o. Status data: this model
 * does not see, or has no encoder. */
bifrons_status bifrons_editor_open(bifrons_engine* engine, const char* style,
                                   bifrons_editor** editor, bifrons_error* error);
void bifrons_editor_close(bifrons_editor* editor); /* NULL is ignored */
/* The picture, of any size, that the next requests with this editor change. */
bifrons_status bifrons_editor_show(bifrons_editor* editor, const uint8_t* rgb, int64_t width,
                                   int64_t height, bifrons_error* error);

/* Everything that decides a picture. */
typedef struct bifrons_request {
  size_t size;
  const char* prompt;
  const char* negative_prompt; /* NULL (default): none */
  uint64_t seed;
  double guidance;       /* default 5 */
  double temperature;    /* default 1; 0 is greedy */
  int64_t top_k;         /* 0 (default) is off */
  double top_p;          /* 1 (default) is off */
  int32_t allow_special; /* 1: special tokens written in the prompt are special */
  const int32_t* fixed;  /* codes that are kept, -1 where they are drawn; NULL (default): none */
  size_t fixed_count;    /* 0, or image_tokens */
  const bifrons_thinking* thinking; /* NULL (default): the prompt alone is drawn */
  const bifrons_editor* editor; /* the prompt says how to change its picture; NULL (default): none.
                                   Without thinking and negative prompt */
  double image_guidance;        /* weight of the row without codes (janus-4o); default 5 */
} bifrons_request;
void bifrons_request_init(bifrons_request* request, size_t size);

/* Called on the calling thread with the codes done and their total. Returns 1 to go on, 0 to
 * stop; then the status is BIFRONS_INTERRUPTED. */
typedef int (*bifrons_progress)(void* user, int64_t done, int64_t total);

/* Draws one picture. `progress` may be NULL. */
bifrons_status bifrons_engine_draw(bifrons_engine* engine, const bifrons_request* request,
                                   bifrons_progress progress, void* user, bifrons_drawing** drawing,
                                   bifrons_error* error);

/* The callbacks of a batch. */
typedef struct bifrons_batch {
  size_t size;
  int32_t lanes; /* pictures drawn together; 0 (default): as many as are useful and fit */
  void* user;
  /* Returns 1 and fills the request, which is an initialised one; or 0 when there are no more.
   * Called on the calling thread. The texts must be valid until its next call. */
  int (*source)(void* user, uint64_t* id, bifrons_request* request);
  /* Takes a finished picture, in any order: it owns `drawing`. Or `drawing` is NULL and `error`
   * says why. Returns 1 to go on, 0 to stop. Called on another thread, one call at a time. */
  int (*sink)(void* user, uint64_t id, bifrons_drawing* drawing, const bifrons_error* error);
  /* May be NULL. Called on the calling thread after every step; returns 1 to go on, 0 to stop. */
  int (*progress)(void* user, int64_t pictures_done, int64_t codes_done);
} bifrons_batch;
void bifrons_batch_init(bifrons_batch* batch, size_t size);

/* Draws all jobs of the source by continuous batching. Each picture is that of bifrons_engine_draw
 * with its request alone. */
bifrons_status bifrons_engine_draw_batch(bifrons_engine* engine, const bifrons_batch* batch,
                                         bifrons_error* error);

/* Codes in raster order to a picture. */
bifrons_status bifrons_engine_decode(bifrons_engine* engine, const int32_t* codes, size_t count,
                                     bifrons_drawing** drawing, bifrons_error* error);
/* A picture of any size, cut and scaled as the model's training pictures, to its codes. The result
 * has the picture that was encoded, and its codes. */
bifrons_status bifrons_engine_encode(bifrons_engine* engine, const uint8_t* rgb, int64_t width,
                                     int64_t height, bifrons_drawing** drawing,
                                     bifrons_error* error);

/* What a drawing holds; the pointers are valid until it is freed. */
int64_t bifrons_drawing_width(const bifrons_drawing* drawing);
int64_t bifrons_drawing_height(const bifrons_drawing* drawing);
const uint8_t* bifrons_drawing_rgb(const bifrons_drawing* drawing);
size_t bifrons_drawing_code_count(const bifrons_drawing* drawing);
const int32_t* bifrons_drawing_codes(const bifrons_drawing* drawing);
const char* bifrons_drawing_thought(const bifrons_drawing* drawing); /* NULL: there is none */
double bifrons_drawing_seconds(const bifrons_drawing* drawing);      /* wall time */
void bifrons_drawing_free(bifrons_drawing* drawing);                 /* NULL is ignored */

/* The bytes of a picture file; `format` is "png", "jpg" or "webp". Free them with bifrons_free. */
bifrons_status bifrons_encode_file(const uint8_t* rgb, int64_t width, int64_t height,
                                   const char* format, uint8_t** bytes, size_t* count,
                                   bifrons_error* error);
/* Reads the bytes of a PNG, JPEG or WebP file; the drawing has no codes. */
bifrons_status bifrons_decode_file(const uint8_t* bytes, size_t count, bifrons_drawing** drawing,
                                   bifrons_error* error);
void bifrons_free(void* memory);

/* A conversation with the model of the engine. Status data: this model draws but does not see. */
bifrons_status bifrons_chat_open(bifrons_engine* engine, bifrons_chat** chat, bifrons_error* error);
void bifrons_chat_close(bifrons_chat* chat); /* NULL is ignored */
/* Shows a picture; it comes before the words of the next say. */
bifrons_status bifrons_chat_show(bifrons_chat* chat, const uint8_t* rgb, int64_t width,
                                 int64_t height, bifrons_error* error);

typedef struct bifrons_reply_options {
  size_t size;
  double temperature; /* 0 (default) is greedy */
  int64_t top_k;      /* 0 (default) is off */
  double top_p;       /* 1 (default) is off */
  uint64_t seed;
  int64_t max_tokens; /* default 512 */
} bifrons_reply_options;
void bifrons_reply_options_init(bifrons_reply_options* options, size_t size);

/* Receives a reply piece by piece; returns 1 to go on, 0 to end the reply. */
typedef int (*bifrons_listener)(void* user, const char* piece);

/* Says something, and the model replies. `words` NULL: the question with which it best describes a
 * picture. `options` and `listener` may be NULL. Free the reply with bifrons_free. */
bifrons_status bifrons_chat_say(bifrons_chat* chat, const char* words,
                                const bifrons_reply_options* options, bifrons_listener listener,
                                void* user, char** reply, bifrons_error* error);
/* Starts a new conversation. */
void bifrons_chat_reset(bifrons_chat* chat);

#ifdef __cplusplus
}
#endif

#endif
