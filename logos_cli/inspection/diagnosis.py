"""What this machine and this installation can do, what is missing, and the one command that mends it: `logos doctor`."""

from __future__ import annotations

import json
import os
import platform
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from logos_cli.errors import LogosError

_REQUIREMENT = re.compile(r"([A-Za-z0-9._-]+)\s*(?:\[[^]]*\])?\s*(==|>=)?\s*([0-9.]*)[^;]*(?:;.*extra == ['\"](\w+)['\"])?")
# Features that llama.cpp has kernels for -> the flag of /proc/cpuinfo.
_CPU_FLAGS = {
    "AVX2": "avx2", "FMA": "fma", "F16C": "f16c",
    "AVX512": "avx512f", "AVX512_VNNI": "avx512_vnni", "AVX512_BF16": "avx512_bf16",
}  # fmt: skip
_PURPOSE = {
    "torch": "training nano, a checkpoint as baseline of bench, portable ONNX",
    "onnx": "ONNX folders: convert --to onnx, and running them",
    "structure": "proteins from PDB and mmCIF",
    "report": "nothing uses it yet",
}
_USED = ("torch", "onnx", "structure")
# Builds of ONNX Runtime that stand in for the plain one.
_STAND_INS = {"onnxruntime": ("onnxruntime-gpu", "onnxruntime-directml", "onnxruntime-openvino")}
PIP = f"{sys.executable} -m pip install"  # a bare pip may belong to another environment
_PATIENCE = 120  # seconds for the trial; a cold disk has to load llama.cpp and nano


@dataclass(frozen=True)
class Finding:
    """One line. `good` None: neither good nor bad by itself. `remedy`: the command or step that mends or adds it."""

    section: str
    name: str
    value: str
    good: bool | None = None
    remedy: str = ""


def diagnose(small_model: Callable[[], Path]) -> Iterator[Finding]:
    """All findings, in the order in which a person would read them; `small_model` gives a GGUF to try."""
    yield from versions()
    trial = run_trial(small_model)
    yield from build(trial)
    yield from gpus(trial)
    yield from folders()


# Packages


def versions() -> Iterator[Finding]:
    from logos_cli import __version__

    yield Finding("versions", "logos-cli", __version__, True)
    yield Finding("versions", "Python", f"{platform.python_version()} on {platform.system()} {platform.machine()}", True)
    try:
        wanted = metadata.requires("logos-cli") or []
    except metadata.PackageNotFoundError:
        yield Finding("versions", "packages", "logos-cli is not installed here, only found", False, "pip install .")
        return
    extras: dict[str, list[tuple[str, str | None, str]]] = {}
    needed: list[tuple[str, str, str]] = []
    for text in wanted:
        found = _REQUIREMENT.match(text)
        if not found:
            continue
        name, relation, version, extra = found.groups()
        if extra:
            extras.setdefault(extra, []).append((name, installed(name), f"{name}{relation or ''}{version}"))
        else:
            needed.append((name, relation or "", version))
    broken = broken_packages(name for name, _, _ in needed if installed(name))
    for name, relation, version in needed:
        yield package(name, relation, version, broken.get(name))
    for extra, purpose in _PURPOSE.items():
        missing = [need for _, have, need in extras.get(extra, []) if have is None]
        present = [f"{name} {have}" for name, have, _ in extras.get(extra, []) if have]
        if missing:
            remedy = f"{PIP} {' '.join(repr(need) if '>' in need else need for need in missing)}" if extra in _USED else ""
            yield Finding("extras", extra, f"not installed ({purpose})", None, remedy)
        elif present:
            yield Finding("extras", extra, ", ".join(present) + (providers() if extra == "onnx" else ""), True)


def providers() -> str:
    """The devices of the installed ONNX Runtime, in its own words."""
    try:
        import onnxruntime

        found = onnxruntime.get_available_providers()
    except (ImportError, AttributeError) as error:
        return f" (onnxruntime cannot be imported: {error})"
    return f" ({', '.join(name.removesuffix('ExecutionProvider') for name in found)})"


def installed(name: str) -> str | None:
    for one in (name, *_STAND_INS.get(name, ())):
        with suppress(metadata.PackageNotFoundError):
            return metadata.version(one)
    return None


def broken_packages(names: Iterable[str]) -> dict[str, str]:
    """Those that cannot be imported, with the reason. Each is tried in a child, since a broken one may kill its process."""
    # numpy comes first: others import it, and its failure would be taken for theirs. llama.cpp has a trial of its own.
    left = sorted(set(names) - {"llama-cpp-python"}, key=lambda name: (name != "numpy", name))
    code = (
        "import importlib, sys\n"
        "for name in sys.argv[1:]:\n"
        "    print(name, flush=True)\n"
        "    importlib.import_module({'rdkit': 'rdkit.Chem'}.get(name, name.replace('-', '_')))\n"
    )
    broken: dict[str, str] = {}
    while left:
        try:
            done = subprocess.run(
                [sys.executable, "-c", code, *left],
                check=False, capture_output=True, text=True, errors="replace", timeout=_PATIENCE,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            return broken
        begun = [name for name in done.stdout.split("\n") if name in left]
        if done.returncode == 0 or not begun:
            return broken
        broken[begun[-1]] = why_it_ended(done)
        left = left[len(begun) :]
        if begun[-1] == "numpy":
            return broken
    return broken


def why_it_ended(done: subprocess.CompletedProcess[str]) -> str:
    if done.returncode < 0:
        with suppress(ValueError):
            return f"ended by {signal.Signals(-done.returncode).name}"
        return f"ended by signal {-done.returncode}"
    return (done.stderr.strip().splitlines() or [f"exit status {done.returncode}"])[-1][:200]


def package(name: str, relation: str, version: str, broken: str | None = None) -> Finding:
    have = installed(name)
    if have is None:
        return Finding("versions", name, "missing", False, f"{PIP} '{name}{relation}{version}'")
    if broken:
        return Finding(
            "versions", name, f"{have} cannot be imported: {broken}", False, f"{PIP} --force-reinstall --no-deps {name}=={have}"
        )
    good = have == version if relation == "==" else numbers(have) >= numbers(version)
    text = have if good else f"{have}, but {relation}{version} is needed"
    return Finding("versions", name, text, good, "" if good else f"{PIP} '{name}{relation}{version}'")


def numbers(version: str) -> list[int]:
    return [int(part) for part in re.findall(r"\d+", version)[:3]]


# llama.cpp


@dataclass(frozen=True)
class Trial:
    """What the child process told, or why it did not."""

    told: dict[str, Any]
    failure: str = ""


def run_trial(small_model: Callable[[], Path]) -> Trial:
    try:
        command = [sys.executable, "-m", "logos_cli.engines.llamacpp.trial", str(small_model())]
        done = subprocess.run(command, check=False, capture_output=True, text=True, errors="replace", timeout=_PATIENCE)
    except (LogosError, ImportError) as error:
        return Trial({}, str(error))
    except subprocess.TimeoutExpired:
        return Trial({}, f"no answer within {_PATIENCE} s")
    if done.returncode == 0:
        with suppress(ValueError, IndexError):
            return Trial(json.loads(done.stdout.splitlines()[-1]))
    return Trial({}, why_it_ended(done))


def build(trial: Trial) -> Iterator[Finding]:
    from logos_cli.engines.llamacpp.library import AMX, VERSION, WITHOUT_AMX
    from logos_cli.system.threads import default_threads, physical_cores

    rebuild = f"{PIP} --force-reinstall --no-cache-dir llama-cpp-python=={VERSION}"
    if trial.failure:
        why = "it was built for another CPU" if "SIGILL" in trial.failure else trial.failure
        yield Finding("llama.cpp", "trial", f"does not run: {why}", False, rebuild)
    else:
        yield Finding(
            "llama.cpp", "trial", f"nano wrote {trial.told['tokens']} tokens, {trial.told['seconds']:.1f} s with load", True
        )
    yield Finding("llama.cpp", "CPU", f"{cpu_name()}; {physical_cores()} cores, {default_threads()} threads are used", None)
    features = trial.told.get("features", [])
    if features:
        lost = [name for name, flag in _CPU_FLAGS.items() if flag in cpu_flags() and name not in features]
        if lost:
            text = f"the build lacks {', '.join(lost)}, which this CPU has"
            yield Finding("llama.cpp", "CPU features", text, None, rebuild)
        yield Finding("llama.cpp", "built with", " ".join(features), True)
        if AMX in features:
            text = "in the build, not used: some compilers break these kernels; a build without them is faster"
            yield Finding("llama.cpp", "AMX", text, None, WITHOUT_AMX)
    yield compiler()


def cpu_name() -> str:
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return " ".join(line.partition(":")[2].split())
    return platform.processor() or platform.machine()


def cpu_flags() -> set[str]:
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("flags"):
                return set(line.split())
    return set()


def compiler() -> Finding:
    """Needed only to build llama.cpp, but then nothing else will do."""
    for name in (os.environ.get("CXX", ""), "c++", "g++", "clang++"):
        if name and (path := shutil.which(name)):
            with suppress(OSError, subprocess.SubprocessError):
                done = subprocess.run(
                    [path, "--version"], check=True, capture_output=True, text=True, errors="replace", timeout=20
                )
                return Finding("llama.cpp", "compiler", done.stdout.splitlines()[0], True)
    remedy = "xcode-select --install" if platform.system() == "Darwin" else "sudo apt install build-essential (Debian, Ubuntu)"
    return Finding("llama.cpp", "compiler", "none found; needed to build llama.cpp, for a GPU for example", None, remedy)


def gpus(trial: Trial) -> Iterator[Finding]:
    from logos_cli.engines.llamacpp.library import CUDA_INSTALL

    known = trial.told.get("gpus", [])
    for gpu in known:
        free, total = gpu["memory"]
        yield Finding("GPU", "llama.cpp sees", f"{gpu['name']}, {free / 1e9:.1f} of {total / 1e9:.1f} GB free", True)
    if trial.told and not known:
        yield Finding("GPU", "llama.cpp sees", "none: answers are written on the CPU", None)
    nvidia = nvidia_gpus()
    for name in nvidia:
        yield Finding("GPU", "NVIDIA", name, None)
    if nvidia and trial.told and not any(gpu["name"].startswith("CUDA") for gpu in known):
        toolkit = "" if shutil.which("nvcc") else " (first install the CUDA toolkit: nvcc is not on the PATH)"
        yield Finding("GPU", "CUDA", "the installed llama.cpp was built without it", None, CUDA_INSTALL + toolkit)


def nvidia_gpus() -> list[str]:
    if not shutil.which("nvidia-smi"):
        return []
    command = ["nvidia-smi", "--query-gpu=name,memory.total,driver_version", "--format=csv,noheader"]
    try:
        done = subprocess.run(command, check=True, capture_output=True, text=True, errors="replace", timeout=20)
    except (OSError, subprocess.SubprocessError):
        return ["nvidia-smi is there but fails: the driver does not run"]
    return [line.strip() for line in done.stdout.splitlines() if line.strip()]


# Folders


def folders() -> Iterator[Finding]:
    from logos_cli.system.files import cache_folder

    try:
        cache = cache_folder()
        cache.mkdir(parents=True, exist_ok=True)
        used = sum(file.stat().st_size for file in cache.rglob("*") if file.is_file())
        good = os.access(cache, os.W_OK)
    except (OSError, RuntimeError) as error:
        yield Finding(
            "folders", "cache", f"cannot be used ({error}); nano is converted anew each time", None, "export XDG_CACHE_HOME=DIR"
        )
    else:
        text = f"{cache}, {used / 1e6:.1f} MB" + ("" if good else ", not writable: nano is converted anew each time")
        yield Finding("folders", "cache", text, good or None, "" if good else "export XDG_CACHE_HOME=DIR")
    yield Finding("folders", "disk", f"{shutil.disk_usage('.').free / 1e9:.1f} GB free in the working folder", None)
    model = os.environ.get("LOGOS_MODEL")
    if not model:
        yield Finding("folders", "$LOGOS_MODEL", "not set: nano is used unless -m names a model", None)
    elif model == "nano":
        yield Finding("folders", "$LOGOS_MODEL", model, True)
    else:
        yield named_model(Path(model))


def named_model(path: Path) -> Finding:
    from logos_cli.models.model_file import read_model_file

    try:
        scheme = read_model_file(path).scheme
    except LogosError as error:
        return Finding("folders", "$LOGOS_MODEL", str(error), False, "export LOGOS_MODEL=FILE")
    return Finding("folders", "$LOGOS_MODEL", f"{path}, {scheme}", True)
