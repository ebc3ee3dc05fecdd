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

// Precision of RoPE's inverse frequencies: kBf16 repeats what the original scripts do (spec 4.5).
enum class RopeMode { kF32, kBf16 };

struct EngineOptions {
  std::string model;            // a model directory
  std::string device = "auto";  // auto | cpu | cuda | cuda:N
  int threads = 0;              // 0: all cores this process may use
  RopeMode rope = RopeMode::kF32;
  int pictures_at_once = 1;     // pictures drawn side by side; never changes a picture
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
};

struct Drawing {
  Picture picture;
  std::vector<int32_t> tokens;  // image codes in raster order
  double seconds = 0;           // wall time of drawing and decoding, shared by pictures at once
};

struct ModelInfo {
  std::string name;          // last part of the directory
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

class Engine {
 public:
  // Throws Error: missing, data, unavailable.
  static Engine open(const EngineOptions& options);
  Engine(Engine&&) noexcept;
  Engine& operator=(Engine&&) noexcept;
  ~Engine();

  const ModelInfo& model() const;
  std::string device() const;  // e.g. "cpu avx512_bf16, 2 threads"
  // Why device "auto" did not take a GPU, in a build that could have; else empty.
  const std::string& fallback() const;

  // Draws every request; a drawing depends on its request alone.
  std::vector<Drawing> draw(std::span<const DrawRequest> requests, const Progress& progress = {});

  // Codes in raster order to a picture. Throws Error (data): wrong count, code out of range.
  Picture decode(std::span<const int32_t> tokens);

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
