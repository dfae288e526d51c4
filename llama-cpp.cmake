# Read by CMake when `make` compiles llama-cpp-python; leaves out what the Python package never loads.
#
# Half of the compiler's time goes into llama.cpp's `common`: the argument parsers, chat templates and HTTP client of its
# programs. llama-cpp-python asks for it by a forced cache entry, over which -DLLAMA_BUILD_COMMON=OFF has no power and a plain
# variable has.
set(LLAMA_BUILD_COMMON OFF)
