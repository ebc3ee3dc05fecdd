// Measures what a setting of weights, KV cache or device does to pictures: the
// same codes run through two engines (teacher forcing), and what they give is compared.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "src/bifrons.h"

namespace bifrons {

// What a model gives for each code of a picture when all codes before it are given.
struct ForcedPicture {
  // f32 [image_tokens, codebook]: logits after classifier-free guidance, before temperature, top-k
  // and top-p.
  std::vector<float> guided;
  // [image_tokens]: the code that drawing would sample there, with the noise of the request's seed.
  // DrawRequest::fixed is not applied.
  std::vector<int32_t> sampled;
};

// Runs pictures through the model of an open engine, which must outlive it. Its keys and values
// are its own. Not to be used while the engine draws on another thread.
class TeacherForcing {
 public:
  explicit TeacherForcing(Engine& engine);
  TeacherForcing(TeacherForcing&&) noexcept;
  TeacherForcing& operator=(TeacherForcing&&) noexcept;
  ~TeacherForcing();

  // The prompt of `request`, then all codes but the last, in passes of many columns. Every number
  // has the same bits as in a drawing that arrives at these codes. Throws Error: usage (a setting
  // out of range, a prompt too long, a wrong number of codes, a code out of range), data (a prompt
  // that is not UTF-8; numbers that stop being finite), unavailable (memory).
  ForcedPicture run(const DrawRequest& request, std::span<const int32_t> codes);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// KL divergence sum p log(p / q) in nats of the distributions softmax(reference) and
// softmax(compared), in double precision; exactly 0 for equal logits. Both have one size; all
// logits are finite.
double kl_divergence(std::span<const float> reference, std::span<const float> compared);

// The divergence of a compared setting from the reference, over all codes of all pictures.
struct QualityReport {
  int64_t pictures = 0;
  int64_t draws = 0;  // codes of all pictures
  // KL(reference || compared) in nats of the guided distribution at temperature 1.
  double mean_kl = 0;
  double mean_kl_error = 0;  // standard error of mean_kl, from the means of the pictures
  double median_kl = 0;
  double percentile_99_kl = 0;
  double largest_kl = 0;
  double same_top = 0;       // share of the codes whose most probable value is the same, 0 to 1
  int64_t changed = 0;       // draws that the same noise decides otherwise
  double changed_error = 0;  // standard error of the share changed / draws, as above
  // A picture drawn freely has the reference's codes up to the first draw that changes. So these
  // need no drawing.
  int64_t equal_pictures = 0;     // pictures in which no draw changes
  double mean_first_changed = 0;  // index of the first draw that changes, mean of the others; -1
                                  // without others

  double share_changed() const {
    return draws > 0 ? static_cast<double>(changed) / static_cast<double>(draws) : 0;
  }
};

// Collects the comparisons of pictures.
class QualityMeter {
 public:
  // Both of one picture, of models with the same number of codes and codebook.
  void add(const ForcedPicture& reference, const ForcedPicture& compared);
  QualityReport report() const;

 private:
  struct PictureResult {
    int64_t draws = 0;
    double kl = 0;  // sum
    int64_t changed = 0;
    int64_t first_changed = -1;  // -1: none
  };
  std::vector<PictureResult> pictures_;
  std::vector<double> kl_;  // of every draw
  int64_t same_top_ = 0;
};

// A picture of the reference, which all compared settings run.
struct ReferencePicture {
  DrawRequest request;
  std::vector<int32_t> codes;
};

// Draws the requests with `engine`, side by side. `progress` as in Engine::draw(). Throws what
// Engine::draw() throws.
std::vector<ReferencePicture> draw_references(Engine& engine, std::span<const DrawRequest> requests,
                                              const Progress& progress = {});

// Compares two engines over `pictures` of the reference. `progress` gets the pictures done and
// their number; if it returns false, this throws Error (interrupted). Throws Error: usage (models
// whose pictures have other codes), failed (the reference does not sample its own codes again),
// and what TeacherForcing::run() throws.
QualityReport compare_quality(Engine& reference, Engine& compared,
                              std::span<const ReferencePicture> pictures,
                              const Progress& progress = {});

}  // namespace bifrons
