// Comparison of settings by teacher forcing: against the reference implementation's logits, against
// hand-made distributions, and against free drawing.
#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <fstream>

#include "src/engine/quality.h"
#include "tests/engine/damaged_model.h"
#include "tests/support/differences.h"

namespace bifrons::testing {
namespace {

Engine open(const std::string& directory, const std::string& device = "cpu") {
  return Engine::open({.model = directory, .device = device, .threads = 1});
}

// What the reference implementation says of a toy's greedy drawing number `i`.
struct GoldenDrawing {
  DrawRequest request{.temperature = 0};
  std::vector<int32_t> codes;
  std::vector<double> guided;  // [T, C], from the logits of both rows

  GoldenDrawing(const std::string& toy, int i) {
    const std::string expected = golden::directory() + toy + "/expected/expected";
    const golden::Tensors tensors(expected + ".safetensors");
    std::ifstream file(expected + ".json");
    request.prompt = nlohmann::json::parse(file).at("draws").at(i).at("prompt");
    const std::string draw = "draw" + std::to_string(i);
    codes = tensors.values<int32_t>(draw + ".codes");
    const auto logits = tensors.values<float>(draw + ".logits");
    const size_t c = logits.size() / codes.size() / 2;
    for (size_t t = 0; t < codes.size(); ++t) {
      for (size_t k = 0; k < c; ++k) {
        const double prompted = logits[2 * t * c + k], unprompted = logits[(2 * t + 1) * c + k];
        guided.push_back(unprompted + 5 * (prompted - unprompted));
      }
    }
  }
};

// KL divergence in the plainest way.
double plain_kl(const double* p, const double* q, size_t n) {
  double sum_p = 0, sum_q = 0, kl = 0;
  for (size_t k = 0; k < n; ++k) sum_p += std::exp(p[k]), sum_q += std::exp(q[k]);
  for (size_t k = 0; k < n; ++k) {
    kl += std::exp(p[k]) / sum_p * std::log(std::exp(p[k]) / sum_p / (std::exp(q[k]) / sum_q));
  }
  return kl;
}

// Guidance multiplies the rounding of f32 (tests/model/test_goldens.cpp) by 5 + 4.
constexpr double kGuidedTolerance = 9 * 2e-5;

TEST(TeacherForcing, GivesTheGuidedLogitsOfTheReferenceImplementation) {
  for (const std::string toy : {"toy-f32", "grouped-query"}) {
    Engine engine = open(golden::directory() + toy);
    TeacherForcing forcing(engine);
    for (const int i : {1, 0}) {  // the second prompt is the longer one
      const GoldenDrawing drawing(toy, i);
      const ForcedPicture picture = forcing.run(drawing.request, drawing.codes);
      EXPECT_EQ(picture.sampled, drawing.codes) << toy;
      const std::vector<float> expected(drawing.guided.begin(), drawing.guided.end());
      EXPECT_LE(largest_difference(picture.guided, expected), kGuidedTolerance * largest(expected))
          << toy << " " << i;
    }
  }
}

std::vector<DrawRequest> requests(int count) {
  std::vector<DrawRequest> all;
  for (int i = 0; i < count; ++i) {
    all.push_back({.prompt = std::string(static_cast<size_t>(3 * i % 7), 'x') + " a cat",
                   .seed = static_cast<uint64_t>(i)});
  }
  all[1].top_p = 0.9;
  all[1].negative_prompt = "a dog";
  return all;
}

TEST(Quality, AnEngineComparedWithItselfIsExactlyEqual) {
  for (const std::string toy : {"toy-hf", "grouped-query"}) {
    Engine one = open(golden::directory() + toy), other = open(golden::directory() + toy);
    const auto pictures = draw_references(one, requests(4));
    int64_t last = 0;
    const QualityReport report =
        compare_quality(one, other, pictures, [&last](int64_t done, int64_t total) {
          EXPECT_EQ(total, 4);
          last = done;
          return true;
        });
    EXPECT_EQ(last, 4);
    EXPECT_EQ(report.pictures, 4);
    EXPECT_EQ(report.draws, 4 * one.model().image_tokens);
    EXPECT_EQ(report.largest_kl, 0);
    EXPECT_EQ(report.mean_kl, 0);
    EXPECT_EQ(report.same_top, 1);
    EXPECT_EQ(report.changed, 0);
    EXPECT_EQ(report.equal_pictures, 4);
    EXPECT_EQ(report.mean_first_changed, -1);
  }
}

class PerturbedModel : public DamagedModel {
 protected:
  // Adds `amount` to the logit of code 0 in both rows, and so in the guided logits.
  void add_to_first_logit(float amount) const {
    const std::string bias = "gen_head.vision_head.bias";
    const golden::Tensors tensors((directory_ / "model.safetensors").string());
    put(bias, std::bit_cast<uint32_t>(tensors.values<float>(bias).front() + amount));
  }
};

TEST_F(PerturbedModel, TheReportIsThatOfTheReferenceImplementationsLogits) {
  constexpr float kAmount = 6;
  add_to_first_logit(kAmount);
  Engine reference = open(golden::directory() + "toy-f32"), compared = open(directory_.path());
  std::vector<DrawRequest> greedy;
  std::vector<double> kl;
  int64_t changed = 0, equal = 0;
  for (const int i : {0, 1}) {
    const GoldenDrawing drawing("toy-f32", i);
    greedy.push_back(drawing.request);
    const size_t n = drawing.guided.size() / drawing.codes.size();
    const int64_t before = changed;
    for (size_t t = 0; t < drawing.codes.size(); ++t) {
      const double* p = drawing.guided.data() + t * n;
      std::vector<double> q(p, p + n);
      q[0] += kAmount;
      kl.push_back(plain_kl(p, q.data(), n));
      changed += std::max_element(p, p + n) - p != std::max_element(q.begin(), q.end()) - q.begin();
    }
    equal += changed == before;
  }
  const QualityReport report =
      compare_quality(reference, compared, draw_references(reference, greedy));
  double sum = 0;
  for (const double x : kl) sum += x;
  std::sort(kl.begin(), kl.end());
  ASSERT_GT(changed, 0) << "the test must see changes";
  EXPECT_NEAR(report.mean_kl, sum / static_cast<double>(kl.size()), 1e-3);
  EXPECT_NEAR(report.largest_kl, kl.back(), 1e-3);
  EXPECT_NEAR(report.percentile_99_kl, kl.back(), 1e-3);  // 32 values: the largest
  EXPECT_NEAR(report.median_kl, kl[kl.size() / 2 - 1], 1e-3);
  EXPECT_EQ(report.changed, changed);
  EXPECT_EQ(report.same_top, 1 - static_cast<double>(changed) / static_cast<double>(kl.size()));
  EXPECT_EQ(report.equal_pictures, equal);
}

// The law behind `equal` and `first changed`: a free drawing leaves the reference where teacher
// forcing has its first changed draw.
TEST_F(PerturbedModel, FreeDrawingsLeaveTheReferenceAtTheFirstChangedDraw) {
  add_to_first_logit(1);
  Engine reference = open(golden::directory() + "toy-f32"), compared = open(directory_.path());
  const std::vector<DrawRequest> asked = requests(12);
  const auto pictures = draw_references(reference, asked);
  const std::vector<Drawing> free = compared.draw(asked);
  TeacherForcing forcing(compared);
  int64_t equal = 0, others = 0;
  double sum = 0;
  for (size_t i = 0; i < asked.size(); ++i) {
    const auto first_other = [](const std::vector<int32_t>& a, const std::vector<int32_t>& b) {
      return std::mismatch(a.begin(), a.end(), b.begin()).first - a.begin();
    };
    const auto first = first_other(pictures[i].codes, free[i].tokens);
    const ForcedPicture forced = forcing.run(asked[i], pictures[i].codes);
    EXPECT_EQ(first_other(pictures[i].codes, forced.sampled), first) << i;
    const bool is_equal = first == static_cast<int64_t>(pictures[i].codes.size());
    is_equal ? ++equal : ++others;
    if (!is_equal) sum += static_cast<double>(first);
  }
  ASSERT_GT(others, 0) << "the test must see changes";
  const QualityReport report = compare_quality(reference, compared, pictures);
  EXPECT_EQ(report.equal_pictures, equal);
  EXPECT_DOUBLE_EQ(report.mean_first_changed, sum / static_cast<double>(others));
}

TEST(Quality, KlIsThatOfTheDefinition) {
  const std::vector<float> even{0, 0}, three_to_one{std::log(3.0f), 0};
  EXPECT_NEAR(kl_divergence(even, three_to_one),
              0.5 * std::log(0.5 / 0.75) + 0.5 * std::log(0.5 / 0.25), 1e-7);
  EXPECT_NEAR(kl_divergence(three_to_one, even),
              0.75 * std::log(0.75 / 0.5) + 0.25 * std::log(0.25 / 0.5), 1e-7);
  const std::vector<float> far{1e4f, 0}, near{1e4f + 8, 8};  // exp() alone would overflow
  EXPECT_EQ(kl_divergence(far, far), 0);
  EXPECT_NEAR(kl_divergence(far, near), 0, 1e-9) << "a shift of all logits changes nothing";
  EXPECT_NEAR(kl_divergence(far, std::vector<float>{0, 1e4f}), 2e4 - 1e4, 1e-6);
}

// Two pictures of two codes out of two.
TEST(Quality, TheReportIsTheSumOfItsPictures) {
  const float a = std::log(3.0f);
  const ForcedPicture even{{0, 0, 0, 0}, {0, 0}}, odd{{a, 0, 0, a}, {0, 1}};
  QualityMeter meter;
  EXPECT_EQ(meter.report().pictures, 0);
  meter.add(even, even);
  meter.add(even, odd);
  const QualityReport report = meter.report();
  const double kl = 0.5 * std::log(0.5 / 0.75) + 0.5 * std::log(0.5 / 0.25);
  EXPECT_EQ(report.pictures, 2);
  EXPECT_EQ(report.draws, 4);
  EXPECT_NEAR(report.mean_kl, kl / 2, 1e-7);
  EXPECT_NEAR(report.mean_kl_error, kl / 2, 1e-7);  // means 0 and kl
  EXPECT_EQ(report.median_kl, 0);
  EXPECT_NEAR(report.percentile_99_kl, kl, 1e-7);
  EXPECT_EQ(report.same_top, 0.75);
  EXPECT_EQ(report.changed, 1);
  EXPECT_EQ(report.share_changed(), 0.25);
  EXPECT_EQ(report.changed_error, 0.25);  // shares 0 and 1/2
  EXPECT_EQ(report.equal_pictures, 1);
  EXPECT_EQ(report.mean_first_changed, 1);
}

std::string fault_of(ErrorKind kind, const std::function<void()>& run) {
  try {
    run();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), kind) << error.what();
    return error.what();
  }
  return "no error";
}

TEST_F(PerturbedModel, FaultsAreNamed) {
  Engine engine = open(golden::directory() + "toy-f32");
  TeacherForcing forcing(engine);
  const auto tokens = static_cast<size_t>(engine.model().image_tokens);
  const auto run = [&](std::vector<int32_t> codes) {
    return fault_of(ErrorKind::kUsage, [&] { forcing.run({.prompt = "a cat"}, codes); });
  };
  EXPECT_NE(run(std::vector<int32_t>(tokens - 1)).find("tokens"), std::string::npos);
  EXPECT_NE(run(std::vector<int32_t>(tokens, 61)).find("codes run from 0 to 60"),
            std::string::npos);
  EXPECT_NE(run(std::vector<int32_t>(tokens, -1)).find("every code"), std::string::npos);
  EXPECT_NE(run({}).find("every code"), std::string::npos);

  Engine other = open(golden::directory() + "wide-head");
  const auto pictures = draw_references(engine, requests(2));
  EXPECT_NE(fault_of(ErrorKind::kUsage, [&] { compare_quality(engine, other, pictures); })
                .find("cannot be compared"),
            std::string::npos);
  add_to_first_logit(30);
  Engine perturbed = open(directory_.path());
  EXPECT_NE(fault_of(ErrorKind::kFailed, [&] { compare_quality(perturbed, engine, pictures); })
                .find("samples other codes than it drew"),
            std::string::npos);
  add_to_first_logit(std::numeric_limits<float>::quiet_NaN());
  Engine broken = open(directory_.path());
  EXPECT_NE(fault_of(ErrorKind::kData, [&] { compare_quality(engine, broken, pictures); })
                .find("stop being finite at image token 0"),
            std::string::npos);
  EXPECT_EQ(fault_of(ErrorKind::kInterrupted,
                     [&] {
                       compare_quality(engine, engine, pictures,
                                       [](int64_t, int64_t) { return false; });
                     }),
            "interrupted");
}

}  // namespace
}  // namespace bifrons::testing
