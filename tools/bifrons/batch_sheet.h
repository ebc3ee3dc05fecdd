// A contact sheet of what a batch drew.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace bifrons::cli {

// What lies beside the batch in `directory`: its path from the root on, with `ending`.
std::filesystem::path beside_batch(const std::string& directory, std::string_view ending);

// A PNG of the first 64 pictures of the directory's manifests, in the order of their lines; empty
// when it has none. Pictures of another size than the first are left out.
std::vector<uint8_t> batch_sheet(const std::string& directory);

}  // namespace bifrons::cli
