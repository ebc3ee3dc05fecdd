// The models that have a short name: where they are, how large they are, their licence.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace bifrons::hub {

struct KnownModel {
  std::string_view name;  // the short one
  std::string_view id;    // on the hub
  int64_t bytes;          // about, of what `bifrons pull` takes
  std::string_view licence;
};

std::span<const KnownModel> known_models();

// By its short name in any case; nullptr if there is none.
const KnownModel* known_model(std::string_view name);

// By "owner/name"; nullptr if it is not in the table.
const KnownModel* known_model_by_id(std::string_view id);

// The short names, with commas between them.
std::string known_names();

// A number of bytes for people, in decimal units: "346 B", "4.18 GB".
std::string bytes_text(int64_t bytes);

}  // namespace bifrons::hub
