// Built from the records of the cells.
#include "tools/bifrons/grid_record.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "tools/bifrons/settings.h"
#include "tools/bifrons/thought_record.h"

namespace bifrons::cli {
namespace {

using nlohmann::json;

// The A1111 text. Its last line has the settings that are equal in all cells.
std::string parameters_text(const std::string& of_first, const json& shared, const json& grid,
                            const ModelInfo& model) {
  const size_t last = of_first.rfind("\nSteps: ");
  std::string text = of_first.substr(0, last + 1);
  text += fmt::format("Steps: {}", model.image_tokens);
  const auto say = [&](const auto& setting) {
    const std::string member(setting.name);
    if (!shared.contains(member)) return;
    text += fmt::format(", {}: {}", setting.label, shared[member].dump());
  };
  say(settings::kGuidance);  // before the seed, as A1111 writes it
  say(settings::kSeed);
  for_each_number([&](const auto& setting) {
    if (setting.field != Field::kGuidance && setting.field != Field::kSeed) say(setting);
  });
  text += fmt::format(", Size: {}x{}, Model hash: {}, Script: grid", model.image_size,
                      model.image_size, model.weights_hash);
  const auto quoted = [&](const char* member) {
    return grid[member].dump(-1, ' ', false, json::error_handler_t::replace);
  };
  if (model.kv != KvFormat::kStored) text += fmt::format(", KV cache: {}", kv_name(model.kv));
  text += ", Across: " + quoted("across");
  if (grid.contains("down")) text += ", Down: " + quoted("down");
  return text + fmt::format(", Version: bifrons {}", build_info().version);
}

}  // namespace

PictureMetadata describe_grid(std::span<const DrawRequest> cells,
                              std::span<const std::shared_ptr<const Thought>> thoughts,
                              const std::string& prompt, const GridCaptions& captions,
                              const std::string& across, const std::string& down, RopeMode rope,
                              const ModelInfo& model, const std::string& device) {
  DrawRequest whole = cells.front();
  whole.prompt = prompt;
  const PictureMetadata of_first = describe(whole, rope, model, device, thoughts.front().get());
  json record = json::parse(of_first.settings);
  std::vector<json> members;  // of each cell
  for (size_t i = 0; i < cells.size(); ++i) {
    const DrawRequest& cell = cells[i];
    json each = shared_settings(cell, rope);
    each["seed"] = cell.seed;
    if (thoughts[i] != nullptr) add_thought(each, *cell.thinking, *thoughts[i]);
    members.push_back(std::move(each));
  }
  std::set<std::string> names;  // a setting may be missing where it has its default
  for (const json& cell : members) {
    for (const auto& item : cell.items()) names.insert(item.key());
  }
  json listed(members.size(), json::object());
  for (const std::string& name : names) {
    const json first = members.front().value(name, json());
    const bool same = std::all_of(members.begin(), members.end(), [&](const json& cell) {
      return cell.value(name, json()) == first;
    });
    if (same) continue;
    for (size_t i = 0; i < members.size(); ++i) {
      if (members[i].contains(name)) listed[i][name] = members[i][name];
    }
    record.erase(name);
  }
  json grid = {{"across", across}, {"columns", captions.columns}};
  if (!down.empty()) {
    grid["down"] = down;
    grid["rows"] = captions.rows;
  }
  const std::string text = parameters_text(of_first.parameters, record, grid, model);
  record["grid"] = std::move(grid);
  record["cells"] = std::move(listed);
  return {text, record.dump(-1, ' ', true, json::error_handler_t::replace)};
}

}  // namespace bifrons::cli
