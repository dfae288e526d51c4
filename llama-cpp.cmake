# What of llama.cpp `make` compiles: the library, and not what the Python package never loads. Read by CMake right after
# llama-cpp-python's own project(), by CMAKE_PROJECT_llama_cpp_INCLUDE.

# Image input, which LOGOS has none of.
set(LLAVA_BUILD OFF)
# The argument parser, chat templates and HTTP client of llama.cpp's programs, half of the compiler's work. llama-cpp-python
# asks for them by a forced cache entry, over which a -D on the command line has no power; a plain variable has.
set(LLAMA_BUILD_COMMON OFF)
