// Finds kernels by name and lays out their parameters.
#include "tests/ptx/ptx_runner.h"

#include <dlfcn.h>

#include <cstring>
#include <fstream>
#include <sstream>

namespace ptx {
namespace {

std::string read_file(const std::string& path) {
  std::ifstream in(path);
  if (!in) throw ParseError("cannot read " + path);
  std::stringstream text;
  text << in.rdbuf();
  return std::move(text).str();
}

// The kernels are in another namespace in the host's library than in PTX. Returns the PTX name.
std::string on_gpu(std::string name) {
  constexpr std::string_view kHost = "19cuda_kernels_on_cpu", kGpu = "4cuda";
  for (size_t at = 0; (at = name.find(kHost, at)) != name.npos;) {
    name.replace(at, kHost.size(), kGpu);
  }
  return name;
}

Size size_of(const dim3& size) {
  return {static_cast<int>(size.x), static_cast<int>(size.y), static_cast<int>(size.z)};
}

}  // namespace

Modules read_modules(const std::string& list) {
  std::stringstream paths(read_file(list));
  Modules modules;
  for (std::string path; std::getline(paths, path);) {
    if (!path.empty()) modules[path.substr(path.rfind('/') + 1)] = read_file(path);
  }
  return modules;
}

PtxRunner::PtxRunner(int architecture, const Modules& modules, uint64_t seed)
    : architecture_(architecture), interpreter_(seed) {
  for (const auto& [name, text] : modules) parse_module(text, name, kernels_);
}

const Kernel* PtxRunner::find(const void* function) const {
  const auto [found, added] = found_.try_emplace(function, nullptr);
  if (!added) return found->second;
  Dl_info info{};
  if (dladdr(const_cast<void*>(function), &info) != 0 && info.dli_sname &&
      info.dli_saddr == function) {
    const auto kernel = kernels_.find(on_gpu(info.dli_sname));
    if (kernel != kernels_.end()) found->second = &kernel->second;
  }
  return found->second;
}

size_t PtxRunner::static_shared(const void* function) const {
  const Kernel* kernel = find(function);
  return kernel ? kernel->static_shared : 0;
}

void PtxRunner::run(const cuda_on_cpu::KernelCall& call, const std::function<void()>* before) {
  const Kernel* kernel = find(call.kernel);
  if (!kernel) throw Stopped("there is no PTX of a kernel that was launched");
  if (call.arguments.size() != kernel->parameters.size()) {
    throw Stopped(kernel->name + ": another number of parameters");
  }
  std::vector<std::byte> parameters(kernel->parameter_bytes);
  for (size_t p = 0; p < call.arguments.size(); ++p) {
    const auto& [data, bytes] = call.arguments[p];
    if (bytes != kernel->parameters[p].bytes) {
      throw Stopped(kernel->name + ": a parameter has another size on the GPU");
    }
    std::memcpy(parameters.data() + kernel->parameters[p].offset, data, bytes);
  }
  ++runs_[kernel->name];
  interpreter_.run(*kernel,
                   {.blocks = size_of(call.blocks),
                    .threads = size_of(call.threads),
                    .dynamic_shared = call.shared_bytes,
                    .asked_shared = call.asked_shared},
                   std::move(parameters), before);
}

}  // namespace ptx
