# What of llama.cpp `make` compiles: the library, and not what the Python package never loads. Read by CMake right after
# llama-cpp-python's own project(), by CMAKE_PROJECT_llama_cpp_INCLUDE.

# Image input, which LOGOS has none of.
set(LLAVA_BUILD OFF)
# The argument parser, chat templates and HTTP client of llama.cpp's programs, half of the compiler's work. llama-cpp-python
# asks for them by a forced cache entry, over which a -D on the command line has no power; a plain variable has.
set(LLAMA_BUILD_COMMON OFF)

# libllama describes graphs, ggml computes them: three quarters of the compiler's work. What a step does not touch is compiled for
# a short build; what it does, and ggml, as their authors have it. Deferred until the target exists.
function(build_llama_quickly)
    if(TARGET llama AND NOT MSVC)
        target_compile_options(llama PRIVATE $<$<COMPILE_LANGUAGE:CXX>:-O1>)
        target_precompile_headers(llama PRIVATE
            <algorithm> <array> <fstream> <functional> <map> <memory> <regex> <set> <sstream> <string> <thread>
            <unordered_map> <vector>)
        get_target_property(place llama SOURCE_DIR)
        foreach(name batch context graph kv-cache)
            set_source_files_properties(${place}/llama-${name}.cpp TARGET_DIRECTORY llama
                PROPERTIES COMPILE_OPTIONS -O3 SKIP_PRECOMPILE_HEADERS ON)
        endforeach()
    endif()
endfunction()
if(CMAKE_VERSION VERSION_GREATER_EQUAL 3.19)
    cmake_language(DEFER CALL build_llama_quickly)
endif()
