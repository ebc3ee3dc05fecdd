// `bifrons devices`: the devices that can draw pictures.
#include "tools/bifrons/gpu_report.h"
#include "tools/bifrons/options.h"
#include "tools/bifrons/streams.h"

namespace bifrons::cli {
namespace {

int print_devices() {
  std::string text;
  for (const DeviceInfo& device : devices(pdl_from_environment())) text += device_line(device);
  write_stdout(text);
  return 0;
}

}  // namespace

void add_devices(CLI::App& app, Chosen& chosen) {
  add_command(app, "devices", "List what pictures can be drawn on", chosen, print_devices);
}

}  // namespace bifrons::cli
