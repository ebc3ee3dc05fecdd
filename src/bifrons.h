// Public API of the library: open a model, draw pictures, decode codes. The command line draws
// through this header and src/understand.h.
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
#include "vision/pictures/picture.h"

namespace bifrons {

// Precision of RoPE's inverse frequencies; kBf16 reproduces the original scripts (docs/janus-pro.md
// 4.5).
enum class RopeMode { kF32, kBf16 };

struct SpannedPrompt;  // src/engine/spans.h
struct EditStyle;      // src/edit.h

// How the weights of linear layers are kept: as in the files, or quantised while they are loaded
// (docs/quantization.md). A quantised model draws other pictures than its full weights.
enum class WeightFormat { kStored, kInt8, kInt4 };

// How keys and values are kept in the KV cache: in the activation dtype (kStored), or in 8 bits
// with a scale per token and head (docs/janus-pro.md 8.3), which takes about half the memory and
// changes pictures a little.
enum class KvFormat { kStored, kInt8 };

// The pictures for which memory is planned. Longer prompts are drawn too; they take more.
struct PlannedPictures {
  int64_t prompt_tokens = 64;       // of the longest prompt, with its thought
  bool thinks = false;              // the model writes thoughts, so its text head is loaded
  const EditStyle* edit = nullptr;  // pictures are changed in this style: its rows and networks
  int64_t reflects = 0;  // tokens of a reason, if pictures are judged and drawn again (reflect.h)

  bool operator==(const PlannedPictures&) const = default;
};

struct EngineOptions {
  std::string model;            // a model directory
  std::string device = "auto";  // auto | cpu | cpu:ISA | cuda | cuda:N
  int threads = 0;              // 0: all cores this process may use
  RopeMode rope = RopeMode::kF32;
  int pictures_at_once = 1;  // lanes of draw(); never changes a picture
  // Whether pictures are decoded (VQ decoder) on their own thread beside drawing. If not set: yes
  // on a device; no on a CPU, where decoding runs between steps, because all cores are busy in
  // either case. Never changes a picture.
  std::optional<bool> decode_beside{};
  // Most pictures that one pass of the VQ decoder takes where they are decoded beside drawing; 0:
  // on a GPU as many as fit, else 1. Pictures are decoded together only in numbers that the device
  // was seen to give the same bits for as for one. Never changes a picture.
  int decode_together = 0;
  // On a GPU: whether a kernel may begin while the one before it ends (programmatic dependent
  // launch). If not set: where that is faster. Never changes a picture.
  std::optional<bool> pdl{};
  // Speculative decoding: most codes of a picture that one pass over the weights may give, at most
  // kMostSpeculated; 1: off; 0: what is fastest here (measured while drawing; off on a GPU). Never
  // changes a picture.
  int speculate = 0;
  WeightFormat weights = WeightFormat::kStored;
  KvFormat kv = KvFormat::kStored;
  // Most bytes of the plan of Engine::memory_plan(); 0: what the device has. First fewer pictures
  // are drawn at once, then keys and values are kept in 8 bits if int8_kv_if_needed; if that does
  // not fit either, open() throws Error (unavailable).
  int64_t max_memory = 0;
  bool int8_kv_if_needed = false;
  PlannedPictures planned{};
};
inline constexpr int kMostSpeculated = 64;

struct ThinkOptions;  // src/think.h
struct Thinking;
struct Thought;

// Everything that decides a picture. Of several pictures of one prompt, picture i has seed + i.
struct DrawRequest {
  std::string prompt;  // UTF-8
  // Replaces the padding tokens of the unconditional row (classifier-free guidance).
  std::optional<std::string> negative_prompt{};
  uint64_t seed = 0;
  double guidance = 5.0;       // scale of classifier-free guidance
  double temperature = 1.0;    // 0 is greedy
  int64_t top_k = 0;           // 0 is off
  double top_p = 1.0;          // 1 is off
  bool allow_special = false;  // special tokens written in the prompt are special
  // Codes in raster order that are not sampled: the picture gets them where they are not -1. Empty,
  // or one for each image token (src/variation.h).
  std::vector<int32_t> fixed{};
  // What the model writes before it draws (Engine::thinking()); null: it draws from the prompt
  // alone.
  std::shared_ptr<const Thinking> thinking{};
  // The rows of a prompt with pictures in it, which replace `prompt` and `negative_prompt`. Made by
  // src/edit.h and src/reflect.h, for the same engine, which must outlive it.
  std::shared_ptr<const SpannedPrompt> spans{};
};

struct Drawing {
  Picture picture;
  std::vector<int32_t> tokens;  // image codes in raster order
  double seconds = 0;           // wall time of drawing (divided by busy lanes) and decoding
  int64_t passes = 0;           // decode steps, fewer than tokens with speculative decoding
  std::shared_ptr<const Thought> thought{};  // null: the request has no `thinking`
};

// A part of a thought while it is written, in whole characters.
struct ThoughtPiece {
  uint64_t id = 0;  // of the job; of draw(), the index of the request
  std::string_view text;
  bool last = false;
};
// Called on the thread that draws. Pieces of several thoughts take turns.
using ThoughtListener = std::function<void(const ThoughtPiece& piece)>;

// What a model in that directory is called: the directory's last part, links followed; of a
// snapshot in the hub's cache, .../models--owner--name/snapshots/<commit>, the name.
std::string name_of_model(const std::string& directory);

struct ModelInfo {
  std::string name;  // name_of_model()
  std::string directory;
  std::string weights_hash;   // hash of tensor names, shapes and first bytes, 16 hex digits
  std::string form;           // "original" | "hugging face"
  std::string weights_dtype;  // "bf16" | "f16" | "f32"; "int8" | "int4" of quantised weights
  int64_t image_size = 0;
  int64_t image_tokens = 0;
  int64_t codebook = 0;
  KvFormat kv = KvFormat::kStored;  // how this engine keeps keys and values
};

// Called after every decode step with the image tokens done and the total. Return false to stop;
// then draw() throws Error (interrupted).
using Progress = std::function<bool(int64_t done, int64_t total)>;

// One picture of a batch. The caller chooses the id; it comes back with the result.
struct BatchJob {
  uint64_t id = 0;
  DrawRequest request;
};

// Returns the next job; nullopt when there are no more, after which it is not called again. Called
// on the thread that called draw_batch(), when a lane is free. All lanes wait while it blocks.
using JobSource = std::function<std::optional<BatchJob>()>;

// Either a drawing or the error of this job alone: kUsage (a setting out of range, a prompt too
// long for the model) or kData (a prompt that is not UTF-8, or numbers that stopped being finite
// twice, on the way to the codes or to the pixels).
struct BatchResult {
  uint64_t id = 0;
  std::optional<Drawing> drawing;
  std::optional<Error> error;  // set if and only if `drawing` is not
  int attempts = 1;  // 2: the numbers stopped being finite once; 0: refused before drawing
};

// Takes finished results, in any order. Called on the engine's output thread, one call at a time.
// While it blocks, drawing continues until as many pictures wait as there are lanes. An exception
// from it stops the batch and is rethrown by draw_batch().
using ResultSink = std::function<void(BatchResult)>;

struct BatchProgress {
  int64_t pictures = 0;  // jobs with a result handed to the output thread, refused ones included
  int64_t tokens = 0;    // image tokens sampled so far by all lanes
  int64_t lanes_busy = 0;
  int64_t thinking = 0;  // lanes that write a thought
  int64_t lanes = 0;
};

struct BatchOptions {
  int lanes = 0;  // slots of the continuous batch; 0: Engine::automatic_lanes()
  int rows = 2;   // most rows of a picture (DrawRequest::spans); 2 without spans
  // Called on the caller's thread after every step. Return false to stop: a CPU stops at once, a
  // GPU finishes its current step.
  std::function<bool(const BatchProgress&)> progress{};
  // Whether the source would return at once; not set: it always does. While it would not, the
  // source is called only when no lane is busy, so that pictures in progress do not wait for it.
  std::function<bool()> source_ready{};
  ThoughtListener on_thought{};
  bool thoughts_only = false;  // nothing is drawn: a drawing has its thought and no picture
};

// Statistics of a batch. A lane-step is one lane in one step, busy or idle.
struct BatchStats {
  bool stopped = false;  // progress returned false; unfinished pictures have no result
  int64_t lanes = 0;
  int64_t pictures = 0;  // drawn and given to the sink
  int64_t failures = 0;  // results with an error
  int64_t retries = 0;
  int64_t steps = 0;
  int64_t lane_steps = 0;       // lanes * steps
  int64_t step_codes = 0;       // image codes that steps gave; the others came from prefill
  int64_t columns = 0;          // positions run by steps, each with two rows
  int64_t idle_lane_steps = 0;  // lane-steps without a picture
  int64_t prefill_rows = 0;     // prompt tokens run through the model
  int64_t shared_rows = 0;      // prompt tokens taken from the prefix cache
  int64_t thought_tokens = 0;   // sampled by thoughts, tokens that end them included
  int64_t thought_steps = 0;    // passes that gave them
  double thought_seconds = 0;   // of these passes and of the prompts of thoughts
  double wall_seconds = 0;
  double source_seconds = 0;  // waiting for jobs
  double prefill_seconds = 0;
  double step_seconds = 0;
  double decode_seconds = 0;  // VQ decoding; with decode_beside it overlaps the others
  double sink_seconds = 0;    // inside the sink; overlaps the others
  double stall_seconds = 0;   // lanes waiting for decoder and sink
};

// Statistics of speculative decoding since the engine was opened. A lane-pass is one busy lane in
// one pass (decode step).
struct SpeculationStats {
  int64_t passes = 0;
  int64_t lane_passes = 0;
  int64_t codes = 0;    // codes that they gave; codes / lane_passes is the gain in passes
  int64_t columns = 0;  // columns / lane_passes is the mean width
  int64_t width = 1;    // width of the next pass of one picture alone
};

// How pictures were decoded since the engine was opened.
struct DecodeStats {
  int64_t pictures = 0;
  int64_t passes = 0;    // of the VQ decoder
  int64_t asked = 1;     // most pictures in a pass for which the device was asked
  int64_t together = 1;  // most pictures in a pass: for more, up to `asked`, it gives other bits
};

// One item of the memory that drawing takes.
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
  // Why device "auto" did not take a GPU, in a build with CUDA; otherwise empty.
  const std::string& fallback() const;

  // Draws every request. A drawing depends only on its own request.
  std::vector<Drawing> draw(std::span<const DrawRequest> requests, const Progress& progress = {},
                            const ThoughtListener& on_thought = {});

  // Draws every job of `source` by continuous batching: a lane that finishes its picture takes the
  // next job at once. Each drawing is equal to that of draw() with its request alone. Throws what
  // source, sink and progress throw, and Error (unavailable) when there is no memory for that many
  // lanes.
  BatchStats draw_batch(const JobSource& source, const ResultSink& sink,
                        const BatchOptions& options = {});

  // Number of lanes that draw_batch() chooses: as many as are useful and fit the device's memory.
  // It is computed at the first call, beside whatever is loaded by then (an Understanding).
  int automatic_lanes() const;
  // Most lanes that EngineOptions::max_memory allows; draw() and draw_batch() use no more. Without
  // a limit the largest int.
  int most_lanes() const;

  SpeculationStats speculation() const;
  DecodeStats decoding() const;

  // Memory that drawing with so many lanes takes on this device, weights included, for the planned
  // pictures.
  std::vector<MemoryItem> memory_plan(int lanes) const;
  static constexpr int64_t kPlannedPromptTokens = PlannedPictures{}.prompt_tokens;
  // Replaces EngineOptions::planned for the numbers of lanes from now on. Throws Error
  // (unavailable): EngineOptions::max_memory does not allow one such picture.
  void plan_for(const PlannedPictures& planned);
  // Throws what plan_for() would throw. May be called while the engine draws.
  void check_plan(const PlannedPictures& planned) const;
  const PlannedPictures& planned() const;

  // The error with which draw_batch() would refuse this request, without drawing.
  std::optional<Error> fault_of(const DrawRequest& request) const;

  // Prepares thinking (src/think.h) for requests to this engine, and to others with the same model
  // that do not outlive it. Loads the text head, unless the thought is given. Throws Error: usage
  // (a setting out of range), data (the style does not fit the tokenizer, the model has no text
  // head, the thought is not UTF-8).
  std::shared_ptr<const Thinking> thinking(const ThinkOptions& options);

  // Decodes codes in raster order to a picture. Throws Error (data): wrong count, code out of
  // range, numbers that stop being finite.
  Picture decode(std::span<const int32_t> tokens);

  // Encodes a picture of the model's size (fitted() of src/variation.h) to codes in raster order.
  // The encoder's weights are loaded at the first call. Throws Error (data): the model has no
  // encoder, or its numbers stop being finite.
  std::vector<int32_t> encode(const Picture& picture);

  // For Understanding and for prompts of spans (src/engine/parts.h).
  struct Parts;
  Parts parts();

 private:
  struct State;
  explicit Engine(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

// The token ids that the `tokenizers` library gives, with beginning-of-sentence first. Needs only
// the tokenizer files of `directory`.
std::vector<int32_t> tokenize(const std::string& directory, std::string_view text);

// A human-readable report on a model directory: config, tensors, memory plan.
std::string inspect(const std::string& directory);
// The same as one JSON object.
std::string inspect_json(const std::string& directory);

// Reads all weights and compares them with the checksums in their files, as Engine::open() does.
// Returns the number of checksums (0 for safetensors). Throws Error (data).
int64_t verify_weights(const std::string& directory);

// A device as EngineOptions names it.
struct DeviceInfo {
  std::string name;         // "cpu", "cuda:0"; "cuda" when there is none
  std::string about;        // description; of a GPU also its memory, its driver and its code
  std::string problem;      // why it cannot be used, and what to do; empty when it can
  int64_t total_bytes = 0;  // memory of a GPU
  std::optional<int64_t> free_bytes{};  // of a GPU that try_device() opened
};
// The CPU first; then every GPU, or why there is none. Starts nothing on a GPU. `pdl`: as in
// EngineOptions; the descriptions say what follows from it.
std::vector<DeviceInfo> devices(std::optional<bool> pdl = {});

// Opens a GPU of devices() for a moment, which shows what its driver refuses only then (exclusive
// use, code that it cannot load): this becomes its problem.
void try_device(DeviceInfo& device);

struct BuildInfo {
  std::string version;  // "0.1.0"
  std::string compiler;
  std::vector<std::string> features;          // "OpenCV 4.6.0", "oneDNN 2.6.3", ...
  std::vector<std::string> instruction_sets;  // of the CPU backend, best first
};
BuildInfo build_info();

}  // namespace bifrons
