// The library's public face: open a model, draw pictures, decode tokens. The command line sees
// only this header and the picture files' header (vision/picture.h).
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "kernels/error.h"
#include "vision/picture.h"

namespace bifrons {

// Precision of RoPE's inverse frequencies: kBf16 repeats what the original scripts do
// (docs/janus-pro.md 4.5).
enum class RopeMode { kF32, kBf16 };

struct EngineOptions {
  std::string model;            // a model directory
  std::string device = "auto";  // auto | cpu | cpu:ISA | cuda | cuda:N
  int threads = 0;              // 0: all cores this process may use
  RopeMode rope = RopeMode::kF32;
  int pictures_at_once = 1;     // by draw(), side by side; never changes a picture
  // Whether pictures are decoded on a thread of their own beside drawing. Left open, devices do,
  // and on a CPU, whose cores are busy either way, it happens between steps. Never changes a picture.
  std::optional<bool> decode_beside{};
};

// Everything that decides a picture. Picture i of a prompt has seed + i.
struct DrawRequest {
  std::string prompt;                          // UTF-8
  std::optional<std::string> negative_prompt{};  // replaces the pads of the unguided row
  uint64_t seed = 0;
  double guidance = 5.0;
  double temperature = 1.0;  // 0 is greedy
  int64_t top_k = 0;         // 0 is off
  double top_p = 1.0;        // 1 is off
  bool allow_special = false;  // special tokens written in the prompt count as such
  // Codes in raster order that are not drawn: the picture has them where they are not -1. Empty, or
  // one for each image token (src/variation.h).
  std::vector<int32_t> fixed{};
};

struct Drawing {
  Picture picture;
  std::vector<int32_t> tokens;  // image codes in raster order
  double seconds = 0;           // wall time of drawing and decoding, shared by pictures at once
};

// What a model in that directory is called: the directory's last part, links followed; of a
// snapshot in the hub's cache, .../models--owner--name/snapshots/<commit>, the name.
std::string name_of_model(const std::string& directory);

struct ModelInfo {
  std::string name;          // name_of_model()
  std::string directory;
  std::string weights_hash;  // short hash of the checkpoint's headers and sizes, 16 hex digits
  std::string form;          // "original" | "hugging face"
  std::string weights_dtype; // "bf16" | "f16" | "f32"
  int64_t image_size = 0;
  int64_t image_tokens = 0;
  int64_t codebook = 0;
};

// Called after every image token with tokens done and tokens in all; return false to stop, which
// makes draw() throw Error (interrupted).
using Progress = std::function<bool(int64_t done, int64_t total)>;

// One picture of a batch. The id is the caller's and comes back with the result.
struct BatchJob {
  uint64_t id = 0;
  DrawRequest request;
};

// Gives the next job; nothing when there are no more, after which it is not called again. Called on
// the thread that called draw_batch(), when a lane is free. Lanes wait while it blocks.
using JobSource = std::function<std::optional<BatchJob>()>;

// Either a drawing or what kept this job, and no other, from becoming one: kUsage (a setting out of
// range, a prompt too long for the model), kData (a prompt that is not UTF-8, or numbers that
// stopped being finite twice, on the way to the codes or to the pixels).
struct BatchResult {
  uint64_t id = 0;
  std::optional<Drawing> drawing;
  std::optional<Error> error;  // there when `drawing` is not
  int attempts = 1;            // 2: the numbers stopped being finite once; 0: refused undrawn
};

// Takes results as they are finished, in any order. Called on a thread of the engine's own, one
// call at a time; while it blocks, drawing goes on until as many pictures wait as there are lanes.
// What it throws stops the batch and comes out of draw_batch().
using ResultSink = std::function<void(BatchResult)>;

struct BatchProgress {
  int64_t pictures = 0;  // jobs with a result on its way to the sink, refused ones included
  int64_t tokens = 0;    // image tokens drawn so far by all lanes
  int64_t lanes_busy = 0;
  int64_t lanes = 0;
};

struct BatchOptions {
  int lanes = 0;  // pictures drawn side by side; 0: Engine::automatic_lanes()
  // Called on the caller's thread after every step; return false to stop: a CPU draws nothing more,
  // a GPU finishes the step it is at.
  std::function<bool(const BatchProgress&)> progress{};
  // Whether the source would answer at once; absent: it always does. While it would not, it is only
  // asked when no lane is busy: pictures under way do not wait for it.
  std::function<bool()> source_ready{};
};

// What a batch cost. A lane-step is one lane in one step, busy or idle.
struct BatchStats {
  bool stopped = false;  // progress said stop: unfinished pictures were dropped without a result
  int64_t lanes = 0;
  int64_t pictures = 0;         // drawn and given to the sink
  int64_t failures = 0;         // results with an error
  int64_t retries = 0;
  int64_t steps = 0;
  int64_t lane_steps = 0;       // lanes * steps
  int64_t idle_lane_steps = 0;  // of these without a picture
  int64_t prefill_rows = 0;     // prompt tokens run through the model
  int64_t shared_rows = 0;      // prompt tokens that needed no run: a prefix was there already
  double wall_seconds = 0;
  double source_seconds = 0;    // waiting for jobs
  double prefill_seconds = 0;
  double step_seconds = 0;
  double decode_seconds = 0;    // VQ decoding, beside the others
  double sink_seconds = 0;      // inside the sink, beside the others
  double stall_seconds = 0;     // lanes waiting for decoder and sink
};

// A part of the memory that drawing takes.
struct MemoryItem {
  std::string name;
  int64_t bytes = 0;
};

class Engine {
 public:
  // Throws Error: missing, data, unavailable.
  static Engine open(const EngineOptions& options);
  Engine(Engine&&) noexcept;
  Engine& operator=(Engine&&) noexcept;
  ~Engine();

  const ModelInfo& model() const;
  std::string device() const;  // e.g. "cpu amx, 2 threads"
  // Why device "auto" did not take a GPU, in a build that could have; else empty.
  const std::string& fallback() const;

  // Draws every request; a drawing depends on its request alone.
  std::vector<Drawing> draw(std::span<const DrawRequest> requests, const Progress& progress = {});

  // Draws every job of `source`: a lane that finishes its picture takes the next job at once. The
  // drawing of a job is that of draw() with its request alone. Throws what source, sink and progress
  // throw, and Error (unavailable) when there is no memory for that many lanes.
  BatchStats draw_batch(const JobSource& source, const ResultSink& sink,
                        const BatchOptions& options = {});

  // How many lanes draw_batch() takes by itself: what is worth while and fits this device's memory.
  // Counted when it is first asked for, beside what has been loaded by then (an Understanding).
  int automatic_lanes() const;

  // What drawing in so many lanes takes of this device's memory, weights and all, with prompts of
  // kPlannedPromptTokens.
  std::vector<MemoryItem> memory_plan(int lanes) const;
  static constexpr int64_t kPlannedPromptTokens = 64;

  // What draw_batch() would refuse this request with, without drawing.
  std::optional<Error> fault_of(const DrawRequest& request) const;

  // Codes in raster order to a picture. Throws Error (data): wrong count, code out of range,
  // numbers that stop being finite.
  Picture decode(std::span<const int32_t> tokens);

  // The codes, in raster order, of a picture of the model's size (fitted() of src/variation.h). The
  // encoder's weights are loaded at the first call. Throws Error (data): the model has no encoder,
  // or its numbers stop being finite.
  std::vector<int32_t> encode(const Picture& picture);

  // For the library's other face (src/engine/parts.h).
  struct Parts;
  Parts parts();

 private:
  struct State;
  explicit Engine(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

// The ids `tokenizers` gives, beginning-of-sentence first. Needs only DIR's tokenizer files.
std::vector<int32_t> tokenize(const std::string& directory, std::string_view text);

// Human-readable account of a model directory: config, tensors, memory plan.
std::string inspect(const std::string& directory);
// The same as one JSON object.
std::string inspect_json(const std::string& directory);

// Reads all weights and compares them with the checksums in their files, as Engine::open() does;
// returns how many there are, none in safetensors. Throws Error (data).
int64_t verify_weights(const std::string& directory);

// A device as EngineOptions names it.
struct DeviceInfo {
  std::string name;     // "cpu", "cuda:0"; "cuda" when there is none
  std::string about;    // what it is
  std::string problem;  // why it cannot be used; empty when it can
};
// The CPU first; then every GPU, or why there is none.
std::vector<DeviceInfo> devices();

struct BuildInfo {
  std::string version;                 // "0.1.0"
  std::string compiler;
  std::vector<std::string> features;   // "OpenCV 4.6.0", "oneDNN 2.6.3", ...
  std::vector<std::string> instruction_sets;  // of the CPU backend, best first
};
BuildInfo build_info();

}  // namespace bifrons
