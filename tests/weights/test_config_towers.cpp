// The vision towers of config.json: the published ones, others, and impossible ones.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/weights/config_documents.h"

namespace bifrons::testing {
namespace {

using nlohmann::json;

TEST(Config, PublishedTowersAreNamed) {
  const auto tower = parse_document(original()).tower;
  ASSERT_TRUE(tower.has_value());
  EXPECT_EQ(tower->tokens(), 576);
  EXPECT_EQ(tower->width, 1024);
  EXPECT_EQ(tower->layers, 24);
  EXPECT_EQ(tower->heads, 16);
  EXPECT_EQ(tower->mlp_width, 4096);
  const auto same = parse_document(hugging_face()).tower;
  ASSERT_TRUE(same.has_value());
  EXPECT_EQ(same->width, 1024);
  EXPECT_EQ(same->mlp_width, 4096);
}

TEST(Config, OtherTowersGiveTheirSizes) {
  json document = original();
  json& params = document["vision_config"]["params"];
  params = {{"model_name", "siglip_small"},
            {"image_size", 128},
            {"width", 192},
            {"layers", 6},
            {"heads", 3},
            {"mlp_ratio", 3.7362},
            {"patch_size", 16}};
  document["aligner_config"]["params"]["input_dim"] = 192;
  document["gen_vision_config"]["params"]["image_size"] = 96;
  const Config c = parse_document(document);
  EXPECT_EQ(c.image_size, 96) << "the tower's pictures have a size of their own";
  ASSERT_TRUE(c.tower.has_value());
  EXPECT_EQ(c.tower->image_size, 128);
  EXPECT_EQ(c.tower->tokens(), 64);
  EXPECT_EQ(c.tower->mlp_width, 717) << "cut, as Python's int() does";

  params.erase("width");
  EXPECT_FALSE(parse_document(document).tower.has_value())
      << "an unknown name alone describes none";
  document.erase("vision_config");
  EXPECT_FALSE(parse_document(document).tower.has_value());
}

TEST(Config, RefusesImpossibleTowers) {
  json document = original();
  document["vision_config"]["params"].update({{"width", 1024}, {"layers", 24}, {"heads", 16}});
  const auto bad = [&](const char* field, const char* value, const char* sentence) {
    const std::string path = std::string("/vision_config/params/") + field;
    expect_contains(config_refusal(document, path.c_str(), value), sentence);
  };
  bad("width", "1020", "multiple of 8");
  bad("heads", "5", "does not divide");
  bad("layers", "0", "from 1 to 128");
  bad("patch_size", "0", "from 1 to 256");
  bad("patch_size", "15", "multiple of the patches' 15");
  bad("mlp_ratio", "0", "between 0 and 64");
  bad("select_layer", "-2", "is not -1");
  bad("select_feature", "\"patch\"", "only same");
  expect_contains(config_refusal(document, "/aligner_config/params/input_dim", "512"),
                  "is 512, but");
  expect_contains(config_refusal(document, "/aligner_config/params/depth", "3"), "is 3, but");
  expect_contains(config_refusal(hugging_face(), "/vision_config/hidden_act", "\"gelu_new\""),
                  "only gelu");
  expect_contains(config_refusal(hugging_face(), "/vision_config/use_qk_norm", "true"),
                  "not supported");
  expect_contains(config_refusal(hugging_face(), "/vision_config/layer_norm_eps", "0"),
                  "between 0");
  json unnamed = original();
  unnamed["vision_config"]["params"] = {{"model_name", "small"}, {"width", 64}};
  expect_contains(config_refusal(unnamed, "/vision_config/params/layers", "null"),
                  "layers is missing");
}

}  // namespace
}  // namespace bifrons::testing
