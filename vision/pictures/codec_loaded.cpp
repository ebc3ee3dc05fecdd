// picture_codec.h through a module that is loaded once, at the first call.
#include <dlfcn.h>

#include <string>
#include <string_view>

#include "kernels/error.h"
#include "kernels/headroom.h"
#include "vision/pictures/codec_module.h"

namespace bifrons {
namespace {

// Where RUNPATH of the program leads; beside the build, or in lib/bifrons of an installation. The
// second one has no WebP but needs no libraries: a package of its own may bring the first one.
constexpr std::string_view kModuleNames[] = {"libbifrons_opencv.so", "libbifrons_stb.so"};

// Address space that the module and its libraries take.
constexpr int64_t kModuleBytes = int64_t{256} << 20;

// The entry of a module. `fault` receives why there is none.
CodecEntry* entry_of(std::string_view name, std::string& fault) {
  void* module = dlopen(name.data(), RTLD_LAZY | RTLD_LOCAL);
  void* entry = module == nullptr ? nullptr : dlsym(module, kCodecSymbol);
  if (entry == nullptr) fault = dlerror();
  return reinterpret_cast<CodecEntry*>(entry);
}

// The first module that is installed, never unloaded: OpenCV has state that outlives a picture. One
// that is installed but cannot be loaded is an error: another one would write other bytes.
const CodecModule* load() {
  require_memory(kModuleBytes);
  std::string fault;
  for (const std::string_view name : kModuleNames) {
    if (CodecEntry* entry = entry_of(name, fault)) return entry();
    if (!fault.starts_with(std::string(name) + ": cannot open shared object file: No such file"))
      break;
  }
  throw Error(ErrorKind::kUnavailable,
              "the codec for picture files cannot be loaded (" + fault +
                  "); install Bifrons again, with `cmake --install` or its package");
}

const CodecModule& codec() {
  static const CodecModule* const module = load();  // after an exception it is tried again
  return *module;
}

}  // namespace

void load_picture_codec() { codec(); }

std::vector<uint8_t> encode_pixels(const Picture& picture, PictureFormat format) {
  const CodecModule& module = codec();
  // Without memory, a codec only reports that it failed. The memory is therefore checked first.
  require_memory(picture.width * picture.height * 16 + (int64_t{8} << 20));
  return module.encode(picture, format);
}

Picture decode_pixels(const StrippedPicture& bare) {
  const CodecModule& module = codec();
  // Without memory, a codec reports a damaged file. The memory is therefore checked first.
  require_memory(static_cast<int64_t>(bare.file.size()) + bare.width * bare.height * 16 +
                 (int64_t{8} << 20));
  return module.decode(bare);
}

}  // namespace bifrons
