# Sources that a unity build compiles alone (preset demo): their unnamed namespaces have names that
# their neighbours use too.
function(compile_alone target)
  list(TRANSFORM ARGN PREPEND ${PROJECT_SOURCE_DIR}/)
  set_source_files_properties(${ARGN} TARGET_DIRECTORY ${target} PROPERTIES SKIP_UNITY_BUILD_INCLUSION ON)
endfunction()

compile_alone(bifrons_kernels kernels/cpu/bandwidth.cpp)
compile_alone(bifrons_vision vision/pictures/png_metadata.cpp vision/pictures/strip_webp.cpp)
compile_alone(bifrons_core
  src/prompts/read_table.cpp src/prompts/read_text.cpp src/prompts/setting_names.cpp src/prompts/table_cells.cpp
  src/prompts/prompt_line.cpp src/prompts/wildcard_files.cpp src/weights/torch_file.cpp)
compile_alone(bifrons_hub src/hub/model_scope.cpp)
compile_alone(bifrons tools/bifrons/bench.cpp tools/bifrons/fonts.cpp)
