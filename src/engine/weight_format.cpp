// Which format the linear layers of a model get.
#include "src/engine/weight_format.h"

#include <fmt/format.h>

#include "kernels/error.h"
#include "src/io/quote.h"

namespace bifrons {

LinearFormat format_to_load(const Config& config, WeightFormat wanted,
                            const std::string& directory) {
  const LinearFormat format = linear_format(wanted);
  if (config.in_files == LinearFormat::kStored) return format;
  if (format == LinearFormat::kStored || format == config.in_files) return config.in_files;
  throw Error(ErrorKind::kUsage,
              fmt::format("{}: its weights are {} already; {} needs the model's full weights",
                          quote(directory), name_of(config.in_files), name_of(format)));
}

}  // namespace bifrons
