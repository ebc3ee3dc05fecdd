// The check that decides how many pictures are decoded in one pass: it finds a device whose sums
// depend on their number.
#include <gtest/gtest.h>

#include "src/model/model.h"
#include "src/weights/checkpoint.h"
#include "tests/support/golden.h"
#include "tests/support/other_sums.h"
#include "vision/networks/vq_together.h"

namespace bifrons {
namespace {

std::vector<bool> exact_with_other_sums(const std::string& toy, DType activation,
                                        std::vector<int64_t> numbers) {
  const std::unique_ptr<Backend> cpu = make_cpu_backend(1);
  testing::OtherSums backend(*cpu, std::move(numbers));
  const std::string directory = golden::directory() + toy;
  const Checkpoint checkpoint = Checkpoint::open(directory);
  const PublishedTensors published(checkpoint);
  Model model(read_config(directory), activation);
  WeightLoader loader(backend, published, activation);
  visit(model.decoder.weights(), model.config.vq, loader);
  model.decoder.allocate(backend, 5);
  backend.in = &model.decoder.weights().conv_in;
  return exact_passes(model.decoder, backend, 5);
}

TEST(ExactPasses, OtherSumsAreFound) {
  for (const DType activation : {DType::kF32, DType::kBf16}) {
    EXPECT_EQ(exact_with_other_sums("toy-hf", activation, {}), std::vector<bool>(6, true));
    EXPECT_EQ(exact_with_other_sums("toy-hf", activation, {3}),
              (std::vector<bool>{true, true, true, false, true, true}));
    EXPECT_EQ(exact_with_other_sums("toy-hf", activation, {2, 3, 4, 5}),
              (std::vector<bool>{true, true, false, false, false, false}));
  }
}

TEST(ExactPasses, APassTakesTheLargestExactNumber) {
  const std::vector<bool> some{true, true, true, false, true};
  EXPECT_EQ(next_pass(some, 1), 1);
  EXPECT_EQ(next_pass(some, 2), 2);
  EXPECT_EQ(next_pass(some, 3), 2);
  EXPECT_EQ(next_pass(some, 4), 4);
  EXPECT_EQ(next_pass(some, 64), 4);
  const std::vector<bool> none{true, true, false, false};
  for (const int64_t waiting : {1, 2, 3, 64}) EXPECT_EQ(next_pass(none, waiting), 1);
}

TEST(ExactPasses, ADecoderForOnePictureIsNotAsked) {
  const std::unique_ptr<Backend> cpu = make_cpu_backend(1);
  Model model(read_config(golden::directory() + "toy-f32"), DType::kF32);  // no weights are loaded
  model.decoder.allocate(*cpu);
  EXPECT_EQ(exact_passes(model.decoder, *cpu, 1), (std::vector<bool>{true, true}));
  EXPECT_THROW(exact_passes(model.decoder, *cpu, 2), ContractError);
}

}  // namespace
}  // namespace bifrons
