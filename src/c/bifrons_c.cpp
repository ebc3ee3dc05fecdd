// The C interface on src/bifrons.h and src/understand.h. Every exception becomes a status.
#include "src/c/bifrons_c.h"

#include <cstdlib>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "src/bifrons.h"
#include "src/c/guarded.h"
#include "src/variation.h"
#include "vision/pictures/picture_file.h"
#include "vision/pictures/picture_read.h"

struct bifrons_drawing {
  bifrons::Drawing drawing;
};

namespace {

using namespace bifrons::c;
using bifrons::Error;
using bifrons::ErrorKind;

bifrons_engine_options default_options() {
  const bifrons::EngineOptions from;
  return {sizeof(bifrons_engine_options),
          nullptr,
          "auto",
          from.threads,
          from.pictures_at_once,
          from.speculate,
          0,
          "stored",
          "stored"};
}

// The format that `name` stands for. Throws Error (usage).
template <typename Format, size_t kCount>
Format format_of(const std::string& name, const std::pair<const char*, Format> (&formats)[kCount],
                 const char* field) {
  std::string known;
  for (const auto& [word, format] : formats) {
    if (name == word) return format;
    known += (known.empty() ? "" : ", ") + std::string(word);
  }
  throw Error(ErrorKind::kUsage, std::string(field) + " is one of " + known);
}

bifrons_request default_request() {
  const bifrons::DrawRequest from;
  return {sizeof(bifrons_request),
          nullptr,
          nullptr,
          from.seed,
          from.guidance,
          from.temperature,
          from.top_k,
          from.top_p,
          0,
          nullptr,
          0,
          nullptr,
          nullptr,
          bifrons::kImageGuidance};
}

bifrons_batch default_batch() {
  return {sizeof(bifrons_batch), 0, nullptr, nullptr, nullptr, nullptr};
}

// The prompt of the editor's picture and the request's instruction.
void add_edit(bifrons::DrawRequest& request, const bifrons_request& from) {
  if (request.negative_prompt) {
    throw Error(ErrorKind::kUsage,
                "a negative prompt has no place in an edit, whose rows are those of its style");
  }
  request.spans = from.editor->editor.prompt(
      request.prompt,
      {.image_guidance = from.image_guidance, .allow_special = request.allow_special});
}

bifrons::DrawRequest request_of(const bifrons_request* given) {
  const bifrons_request from = copy_in(given, default_request(), "request");
  bifrons::DrawRequest request;
  request.prompt = text_of(from.prompt, "prompt");
  if (from.negative_prompt != nullptr) request.negative_prompt = from.negative_prompt;
  request.seed = from.seed;
  request.guidance = from.guidance;
  request.temperature = from.temperature;
  request.top_k = from.top_k;
  request.top_p = from.top_p;
  request.allow_special = from.allow_special != 0;
  if (from.fixed_count > 0) {
    request.fixed.assign(&required(from.fixed, "fixed"), from.fixed + from.fixed_count);
  }
  if (from.thinking != nullptr) request.thinking = from.thinking->thinking;
  if (from.editor != nullptr) add_edit(request, from);
  return request;
}

bifrons::PictureFormat format_of(const char* format) {
  const std::string name = text_of(format, "format");
  if (const auto known = bifrons::picture_format_of("." + name)) return *known;
  throw Error(ErrorKind::kUsage, "the format is png, jpg or webp");
}

// The jobs of a batch's source. Lanes have one number of rows, so a job that needs more than they
// have is held until they are reserved anew.
class Jobs {
 public:
  explicit Jobs(const bifrons_batch& batch) : batch_(batch) {}

  int rows() const { return rows_; }
  bool held() const { return held_.has_value(); }

  std::optional<bifrons::BatchJob> next() {
    if (held_) return std::exchange(held_, std::nullopt);
    bifrons_request request = default_request();
    bifrons::BatchJob job;
    if (batch_.source(batch_.user, &job.id, &request) != 1) return std::nullopt;
    job.request = request_of(&request);
    const int rows = request.editor == nullptr || !request.editor->editor.style().part_row ? 2 : 3;
    if (rows <= rows_) return job;
    rows_ = rows;
    held_ = std::move(job);
    return std::nullopt;
  }

 private:
  const bifrons_batch& batch_;
  int rows_ = 2;
  std::optional<bifrons::BatchJob> held_;
};

// Hands a result to the sink. Throws Error (interrupted) when the sink stops the batch.
void hand_over(const bifrons_batch& batch, bifrons::BatchResult result) {
  bifrons_error error{};
  bifrons_drawing* drawing = nullptr;
  if (result.drawing) {
    drawing = new bifrons_drawing{std::move(*result.drawing)};
  } else {
    fail(&error, static_cast<bifrons_status>(result.error->exit_code()), result.error->what());
  }
  if (batch.sink(batch.user, result.id, drawing, drawing == nullptr ? &error : nullptr) != 1) {
    throw Error(ErrorKind::kInterrupted, "the sink stopped the batch");
  }
}

}  // namespace

extern "C" {

const char* bifrons_version(void) { return BIFRONS_VERSION; }

void bifrons_engine_options_init(bifrons_engine_options* options, size_t size) {
  copy_out(default_options(), options, size);
}

void bifrons_request_init(bifrons_request* request, size_t size) {
  copy_out(default_request(), request, size);
}

void bifrons_batch_init(bifrons_batch* batch, size_t size) {
  copy_out(default_batch(), batch, size);
}

bifrons_status bifrons_engine_open(const bifrons_engine_options* options, bifrons_engine** engine,
                                   bifrons_error* error) {
  return guarded(error, [&] {
    const bifrons_engine_options from = copy_in(options, default_options(), "options");
    bifrons::EngineOptions asked;
    asked.model = text_of(from.model, "model");
    asked.device = text_of(from.device, "device");
    asked.threads = from.threads;
    asked.pictures_at_once = from.pictures_at_once;
    asked.speculate = from.speculate;
    asked.rope = from.rope_bf16 != 0 ? bifrons::RopeMode::kBf16 : bifrons::RopeMode::kF32;
    using bifrons::KvFormat, bifrons::WeightFormat;
    asked.weights = format_of<WeightFormat>(text_of(from.weights, "weights"),
                                            {{"stored", WeightFormat::kStored},
                                             {"int8", WeightFormat::kInt8},
                                             {"int4", WeightFormat::kInt4}},
                                            "weights");
    asked.kv = format_of<KvFormat>(
        text_of(from.kv, "kv"), {{"stored", KvFormat::kStored}, {"int8", KvFormat::kInt8}}, "kv");
    bifrons_engine*& out = required(engine, "engine");
    bifrons::Engine opened = bifrons::Engine::open(asked);
    std::string device = opened.device();
    out = new bifrons_engine{std::move(opened), std::move(device)};
  });
}

void bifrons_engine_close(bifrons_engine* engine) { delete engine; }

bifrons_status bifrons_engine_info(const bifrons_engine* engine, bifrons_model_info* info,
                                   size_t size, bifrons_error* error) {
  return guarded(error, [&] {
    const bifrons::ModelInfo& model = required(engine, "engine").engine.model();
    const bifrons_model_info out = {sizeof out,
                                    model.name.c_str(),
                                    model.directory.c_str(),
                                    model.form.c_str(),
                                    model.weights_dtype.c_str(),
                                    model.weights_hash.c_str(),
                                    engine->device.c_str(),
                                    model.image_size,
                                    model.image_tokens,
                                    model.codebook};
    copy_out(out, &required(info, "info"), size);
  });
}

bifrons_status bifrons_engine_draw(bifrons_engine* engine, const bifrons_request* request,
                                   bifrons_progress progress, void* user, bifrons_drawing** drawing,
                                   bifrons_error* error) {
  return guarded(error, [&] {
    bifrons_drawing*& out = required(drawing, "drawing");
    const bifrons::DrawRequest asked = request_of(request);
    bifrons::Progress report;
    if (progress != nullptr) {
      report = [&](int64_t done, int64_t total) { return progress(user, done, total) == 1; };
    }
    auto drawings = required(engine, "engine").engine.draw({&asked, 1}, report);
    out = new bifrons_drawing{std::move(drawings.at(0))};
  });
}

bifrons_status bifrons_engine_draw_batch(bifrons_engine* engine, const bifrons_batch* given,
                                         bifrons_error* error) {
  return guarded(error, [&] {
    const bifrons_batch batch = copy_in(given, default_batch(), "batch");
    required(engine, "engine");
    if (batch.source == nullptr || batch.sink == nullptr) {
      throw Error(ErrorKind::kUsage, "a batch needs a source and a sink");
    }
    bifrons::BatchOptions options;
    options.lanes = batch.lanes;
    if (batch.progress != nullptr) {
      options.progress = [&](const bifrons::BatchProgress& at) {
        return batch.progress(batch.user, at.pictures, at.tokens) == 1;
      };
    }
    Jobs jobs(batch);
    do {
      options.rows = jobs.rows();
      const bifrons::BatchStats stats = engine->engine.draw_batch(
          [&] { return jobs.next(); },
          [&](bifrons::BatchResult result) { hand_over(batch, std::move(result)); }, options);
      if (stats.stopped)
        throw Error(ErrorKind::kInterrupted, "the progress callback stopped the batch");
    } while (jobs.held());
  });
}

bifrons_status bifrons_engine_decode(bifrons_engine* engine, const int32_t* codes, size_t count,
                                     bifrons_drawing** drawing, bifrons_error* error) {
  return guarded(error, [&] {
    bifrons_drawing*& out = required(drawing, "drawing");
    bifrons::Drawing made;
    made.tokens.assign(&required(codes, "codes"), codes + count);
    made.picture = required(engine, "engine").engine.decode(made.tokens);
    out = new bifrons_drawing{std::move(made)};
  });
}

bifrons_status bifrons_engine_encode(bifrons_engine* engine, const uint8_t* rgb, int64_t width,
                                     int64_t height, bifrons_drawing** drawing,
                                     bifrons_error* error) {
  return guarded(error, [&] {
    bifrons_drawing*& out = required(drawing, "drawing");
    bifrons::Engine& with = required(engine, "engine").engine;
    bifrons::Drawing made;
    made.picture = bifrons::fitted(picture_of(rgb, width, height), with.model().image_size);
    made.tokens = with.encode(made.picture);
    out = new bifrons_drawing{std::move(made)};
  });
}

int64_t bifrons_drawing_width(const bifrons_drawing* drawing) {
  return drawing == nullptr ? 0 : drawing->drawing.picture.width;
}

int64_t bifrons_drawing_height(const bifrons_drawing* drawing) {
  return drawing == nullptr ? 0 : drawing->drawing.picture.height;
}

const uint8_t* bifrons_drawing_rgb(const bifrons_drawing* drawing) {
  return drawing == nullptr ? nullptr : drawing->drawing.picture.rgb.data();
}

size_t bifrons_drawing_code_count(const bifrons_drawing* drawing) {
  return drawing == nullptr ? 0 : drawing->drawing.tokens.size();
}

const int32_t* bifrons_drawing_codes(const bifrons_drawing* drawing) {
  return drawing == nullptr ? nullptr : drawing->drawing.tokens.data();
}

const char* bifrons_drawing_thought(const bifrons_drawing* drawing) {
  return drawing == nullptr || drawing->drawing.thought == nullptr
             ? nullptr
             : drawing->drawing.thought->text.c_str();
}

double bifrons_drawing_seconds(const bifrons_drawing* drawing) {
  return drawing == nullptr ? 0 : drawing->drawing.seconds;
}

void bifrons_drawing_free(bifrons_drawing* drawing) { delete drawing; }

bifrons_status bifrons_encode_file(const uint8_t* rgb, int64_t width, int64_t height,
                                   const char* format, uint8_t** bytes, size_t* count,
                                   bifrons_error* error) {
  return guarded(error, [&] {
    uint8_t*& out = required(bytes, "bytes");
    size_t& size = required(count, "count");
    const std::vector<uint8_t> file =
        bifrons::encode_picture(picture_of(rgb, width, height), format_of(format), nullptr);
    out = allocated(file.data(), file.size(), 0);
    size = file.size();
  });
}

bifrons_status bifrons_decode_file(const uint8_t* bytes, size_t count, bifrons_drawing** drawing,
                                   bifrons_error* error) {
  return guarded(error, [&] {
    bifrons_drawing*& out = required(drawing, "drawing");
    bifrons::Drawing made;
    made.picture = bifrons::read_picture({&required(bytes, "bytes"), count});
    out = new bifrons_drawing{std::move(made)};
  });
}

void bifrons_free(void* memory) { std::free(memory); }

}  // extern "C"
