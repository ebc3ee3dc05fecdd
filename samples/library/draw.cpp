// Draws one picture with the library and writes it to a file: draw MODEL_DIRECTORY PROMPT FILE.png
#include <bifrons/bifrons.h>
#include <bifrons/picture_file.h>

#include <cstdint>
#include <cstdio>
#include <fstream>
#include <vector>

int main(int argc, char** argv) {
  if (argc != 4) {
    std::fprintf(stderr, "usage: draw MODEL_DIRECTORY PROMPT FILE.png\n");
    return 2;
  }
  try {
    bifrons::Engine engine = bifrons::Engine::open({.model = argv[1]});
    bifrons::DrawRequest request{.prompt = argv[2], .seed = 42};
    const std::vector<bifrons::Drawing> drawings = engine.draw({&request, 1});
    const std::vector<uint8_t> png =
        bifrons::encode_picture(drawings[0].picture, bifrons::PictureFormat::kPng, nullptr);
    std::ofstream file(argv[3], std::ios::binary);
    file.write(reinterpret_cast<const char*>(png.data()), static_cast<std::streamsize>(png.size()));
    return file.flush() ? 0 : 1;
  } catch (const bifrons::Error& error) {
    std::fprintf(stderr, "draw: %s\n", error.what());
    return error.exit_code();
  }
}
