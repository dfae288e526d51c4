#!/usr/bin/env bash
# Packs what logos needs on a GPU machine without a network: benchmarks/gpu/pack.sh DIR [PYTHON_VERSION]
# About 60 MB of downloads, 45 MB in DIR. There: CUDA toolkit, cmake, a C++ compiler, and that Python with numpy, safetensors,
# tokenizers, huggingface-hub, rich, jinja2, pyyaml and pytest. See docs/gpu.md.
set -euo pipefail
[ $# -ge 1 ] || { echo "usage: $0 DIR [PYTHON_VERSION]" >&2; exit 2; }
out=$(mkdir -p "$1" && cd "$1" && pwd)
here=$(cd "$(dirname "$0")" && pwd)
python=${2:-3.12}
version=0.3.36 # of llama-cpp-python, the one in pyproject.toml
pip=("${PYTHON:-python3}" -m pip download --quiet --no-deps)
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

"${pip[@]}" --no-binary llama-cpp-python -d "$tmp" "llama-cpp-python==$version"
tar xzf "$tmp"/llama_cpp_python-*.tar.gz -C "$tmp" --strip-components 1
tar czf "$out/llama.tgz" -C "$tmp/vendor/llama.cpp" --exclude=tools/ui --exclude='ggml-vulkan' --exclude='ggml-opencl' \
  --exclude='ggml-sycl' --exclude='ggml-cann' --exclude='ggml-hexagon' --exclude='ggml-webgpu' --exclude='ggml-metal' \
  ggml src include cmake common vendor scripts tools CMakeLists.txt LICENSE
# What pip would leave of the package: its Python side, and the metadata by which logos checks the version.
mkdir -p "$tmp/site/llama_cpp_python-$version.dist-info"
cp -r "$tmp/llama_cpp" "$tmp/site/"
printf 'Metadata-Version: 2.1\nName: llama_cpp_python\nVersion: %s\n' "$version" \
  > "$tmp/site/llama_cpp_python-$version.dist-info/METADATA"
tar czf "$out/binding.tgz" -C "$tmp/site" .

platforms=(--platform manylinux2014_x86_64)
for n in 17 27 28 34; do platforms+=(--platform "manylinux_2_${n}_x86_64"); done
mkdir -p "$out/wheels"
"${pip[@]}" --only-binary=:all: --python-version "$python" --implementation cp "${platforms[@]}" -d "$out/wheels" \
  rdkit gguf==0.19.0 gemmi diskcache tqdm typer shellingham annotated-doc pydantic annotated-types typing-inspection
# pydantic takes one version of its core only, and says which.
core=$(unzip -p "$out"/wheels/pydantic-*.whl '*/METADATA' | sed -n 's/^Requires-Dist: pydantic-core *\(==[0-9.]*\).*/\1/p' | head -1)
"${pip[@]}" --only-binary=:all: --python-version "$python" --implementation cp "${platforms[@]}" -d "$out/wheels" \
  "pydantic-core$core"
cp "$here"/*.sh "$here"/*.py "$out/"
du -sh "$out"
