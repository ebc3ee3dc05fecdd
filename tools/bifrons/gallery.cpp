// `bifrons gallery`: writes a page that shows a batch.
#include "src/store/gallery.h"

#include <fmt/format.h>

#include <memory>

#include "src/io/directory.h"
#include "tools/bifrons/session.h"
#include "tools/bifrons/streams.h"

namespace bifrons::cli {
namespace {

struct Gallery {
  std::string directory;
  Verbosity verbosity;

  int run() const {
    Directory::open(directory);  // throws the reason
    log(verbosity, fmt::format("{} pictures", write_gallery(directory)));
    write_stdout(directory + "/index.html\n");
    return 0;
  }
};

}  // namespace

void add_gallery(CLI::App& app, Chosen& chosen) {
  const auto gallery = std::make_shared<Gallery>();
  CLI::App& command = add_command(app, "gallery", "Write DIR/index.html: look at a batch", chosen,
                                  [gallery] { return gallery->run(); });
  add_operand(command, "DIR", gallery->directory, "A directory that batch wrote to");
  gallery->verbosity.add_to(command);
}

}  // namespace bifrons::cli
