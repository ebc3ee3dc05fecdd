// Drawing and saving the pictures of one call of `generate`, `vary` or `edit`.
#pragma once

#include <cstdint>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "src/think.h"
#include "src/understand.h"
#include "tools/bifrons/generate.h"
#include "tools/bifrons/output_names.h"
#include "tools/bifrons/tokens_file.h"

namespace bifrons::cli {

// Pictures that are drawn together share each read of the weights. More than these gain little on a
// CPU.
inline constexpr int64_t kPicturesAtOnce = 4;

// The results so far, for the contact sheet, --tokens-out and --json.
struct Drawn {
  std::vector<Picture> pictures;  // only for the contact sheet
  std::vector<TokenRecord> tokens;
  std::shared_ptr<const Thought> thought;  // of the first picture
  nlohmann::json records = nlohmann::json::array();
};

// Adds what `edit` says about its picture, a JSON object; nothing if it is empty.
void add_edit_record(PictureMetadata& metadata, const std::string& edited);

// Draws every request and saves each picture as soon as it is drawn. `judge` is null without
// --best-of and --reflect. Throws what drawing and saving throw.
Drawn draw_and_keep(const Generate& generate, RopeMode rope,
                    const std::vector<DrawRequest>& requests, const OutputPlan& plan,
                    Engine& engine, Understanding* judge);

}  // namespace bifrons::cli
