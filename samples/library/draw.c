/* Draws one picture through the C interface: draw MODEL_DIRECTORY PROMPT FILE.png */
#include <bifrons/bifrons_c.h>
#include <stdio.h>

int main(int argc, char** argv) {
  bifrons_error error = {0};
  bifrons_engine_options options;
  bifrons_request request;
  bifrons_engine* engine = NULL;
  bifrons_drawing* drawing = NULL;
  uint8_t* png = NULL;
  size_t count = 0;
  if (argc != 4) return 2;
  bifrons_engine_options_init(&options, sizeof options);
  options.model = argv[1];
  bifrons_request_init(&request, sizeof request);
  request.prompt = argv[2];
  request.seed = 42;
  if (bifrons_engine_open(&options, &engine, &error) == BIFRONS_OK &&
      bifrons_engine_draw(engine, &request, NULL, NULL, &drawing, &error) == BIFRONS_OK &&
      bifrons_encode_file(bifrons_drawing_rgb(drawing), bifrons_drawing_width(drawing),
                          bifrons_drawing_height(drawing), "png", &png, &count,
                          &error) == BIFRONS_OK) {
    FILE* file = fopen(argv[3], "wb");
    if (file == NULL || fwrite(png, 1, count, file) != count) error.status = BIFRONS_CANNOT_WRITE;
    if (file != NULL && fclose(file) != 0) error.status = BIFRONS_CANNOT_WRITE;
  }
  if (error.status != BIFRONS_OK) fprintf(stderr, "draw: %s\n", error.message);
  bifrons_free(png);
  bifrons_drawing_free(drawing);
  bifrons_engine_close(engine);
  return error.status;
}
