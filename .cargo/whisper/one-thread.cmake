# Read by whisper.cpp's build after each of its projects (CMAKE_PROJECT_INCLUDE in ../config.toml).
add_compile_options("$<$<COMPILE_LANGUAGE:CXX>:-include;${CMAKE_CURRENT_LIST_DIR}/one-thread.h>")
