// picture_codec.h through a module that is loaded once, at the first call.
#include <dlfcn.h>

#include <string>

#include "kernels/error.h"
#include "kernels/headroom.h"
#include "vision/pictures/codec_module.h"

namespace bifrons {
namespace {

// Where RUNPATH of the program leads; beside the build, or in lib/bifrons of an installation.
constexpr const char* kModuleName = "libbifrons_opencv.so";

// Address space that the module and its libraries take.
constexpr int64_t kModuleBytes = int64_t{256} << 20;

const CodecModule* load() {
  require_memory(kModuleBytes);
  void* module = dlopen(kModuleName, RTLD_LAZY | RTLD_LOCAL);
  void* entry = module == nullptr ? nullptr : dlsym(module, kCodecSymbol);
  if (entry == nullptr) {
    throw Error(ErrorKind::kUnavailable,
                std::string("the codec for picture files cannot be loaded (") + dlerror() +
                    "); install Bifrons again, with `cmake --install` or its package");
  }
  return reinterpret_cast<CodecEntry*>(
      entry)();  // never unloaded: OpenCV has state that outlives a picture
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
