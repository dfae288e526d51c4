#!/usr/bin/env bash
# On the GPU machine: DIR/install.sh [CPU]
# Builds llama.cpp with CUDA for the card in it (CPU: without, to try this script) and leaves ./env.sh's way to it in
# $PREFIX/env.sh, llama-bench and llama-batched-bench in $PREFIX/bin. Four minutes on 16 cores.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
P=${PREFIX:-/tmp/logos-gpu}
mkdir -p "$P/src" "$P/site" "$P/bin"
python3 -m pip install --quiet --no-index --no-deps --no-compile --upgrade --target "$P/site" "$here"/wheels/*.whl
tar xzf "$here/binding.tgz" -C "$P/site"
tar xzf "$here/llama.tgz" -C "$P/src"
sed -i '/add_subdirectory(mtmd)/d;/add_subdirectory(tts)/d' "$P/src/tools/CMakeLists.txt"

if [ "${1:-}" = CPU ]; then
  cuda=(-DGGML_CUDA=OFF)
else
  arch=$(nvidia-smi --query-gpu=compute_cap --format=csv,noheader | head -1 | tr -d .)
  cuda=(-DGGML_CUDA=ON "-DCMAKE_CUDA_ARCHITECTURES=$arch-real" -DGGML_CUDA_COMPRESSION_MODE=size)
fi
generator=()
command -v ninja > /dev/null && generator=(-G Ninja)
cmake -S "$P/src" -B "$P/build" "${generator[@]}" -DCMAKE_BUILD_TYPE=Release -DBUILD_SHARED_LIBS=ON -DLLAMA_CURL=OFF \
  -DLLAMA_OPENSSL=OFF -DLLAMA_BUILD_TESTS=OFF -DLLAMA_BUILD_EXAMPLES=OFF -DLLAMA_BUILD_SERVER=OFF -DLLAMA_BUILD_APP=OFF \
  -DLLAMA_BUILD_COMMON=ON -DLLAMA_BUILD_TOOLS=ON "${cuda[@]}" > "$P/cmake.log" 2>&1 || { tail -5 "$P/cmake.log" >&2; exit 1; }
cmake --build "$P/build" -j "$(nproc)" --target llama llama-bench llama-batched-bench > "$P/build.log" 2>&1 ||
  { grep -iE 'error' "$P/build.log" | head -5 >&2; exit 1; }
rm -rf "$P/site/llama_cpp/lib"
ln -sfn "$P/build/bin" "$P/site/llama_cpp/lib" # where llama-cpp-python looks for its libraries
cp -f "$P"/build/bin/llama-b* "$P/bin/"
cat > "$P/env.sh" << X
export PYTHONPATH=\$PWD:$P/site\${PYTHONPATH:+:\$PYTHONPATH} LD_LIBRARY_PATH=$P/build/bin\${LD_LIBRARY_PATH:+:\$LD_LIBRARY_PATH} PATH=$P/bin:\$PATH
logos() { python3 -m logos_cli "\$@"; }
X
echo "ready: in the repository's root, run: source $P/env.sh"
