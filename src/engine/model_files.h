// What the files of a model directory are, and whether they are whole.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "kernels/error.h"

namespace bifrons {

// What a list of models says of one.
struct ModelSummary {
  std::string form;  // "original" | "hugging face"
  std::string
      weights_dtype;  // "bf16" | "f16" | "f32" | "int8" | "int4" | "MLX 4-bit" | "MLX 8-bit"
  bool sees = false;  // whether it has the half that understands pictures
  int64_t image_size = 0;
  // Memory of a GPU and of a host for one picture, as planned: with the weights as they are, then,
  // where the model can be quantised while loading, with --weights int8 and int4.
  std::vector<std::pair<std::string, int64_t>> gpu_bytes, host_bytes;
  // Memory of a host with the weights as they are, for what the model can do beside: "--think",
  // "edit STYLE".
  std::vector<std::pair<std::string, int64_t>> host_bytes_with;
};

// Checks everything that a load checks, except the weights' numbers. Throws the Error of a load.
ModelSummary summarize_model(const std::string& directory);

// Whether config.json names one of the supported model types. False if it cannot be read.
bool is_janus(const std::string& directory);

struct ModelFile {
  std::string name;
  int64_t bytes = 0;
  std::string what;      // "weights, 312 tensors"; "not read"
  std::string problem;   // a clause that follows the name, with what to do; empty if there is none
  bool needed = false;   // whether drawing needs it
  bool missing = false;  // it is not there
};

// Every file of the directory, and the needed ones that are missing, by name. Headers and texts are
// read, numbers are not. Throws Error (missing) if the directory cannot be listed.
std::vector<ModelFile> list_model_files(const std::string& directory);

struct VerifiedFile {
  std::string name;
  int64_t bytes = 0;
  std::string compared;  // "sha256", "git sha1", "crc32"; empty: there is nothing to compare with
  std::string problem;   // empty if it is right
};

struct Verification {
  std::vector<VerifiedFile> files;
  int64_t tensors = 0;                // read, besides those of a wrong type
  std::string quantisation;           // Checkpoint::quantisation()
  std::vector<std::string> problems;  // of the model as a whole, a sentence each
  ErrorKind kind = ErrorKind::kData;  // of the first problem
};

// Called while files are read. Return false to stop.
using VerifyProgress = std::function<bool(int64_t done, int64_t total)>;

// Reads all files that have a published hash (src/weights/published_hash.h) or hold the weights,
// compares them with the checksums that there are, and looks for numbers that are not finite.
// Throws Error: missing (no such directory), unavailable (memory), interrupted.
Verification verify_model(const std::string& directory, const VerifyProgress& progress = {});

}  // namespace bifrons
