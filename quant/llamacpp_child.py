"""The child process of `quantize_gguf`: one call of llama_model_quantize, its log told as JSON lines on stdout.

    python -m logos_cli.quant.llamacpp_child '{"source": …, "target": …, "ftype": 15, "dry_run": false, …}'

A process of its own because a C abort must not take the command down, and because llama.cpp runs its log callback
inside C code, where a Ctrl-C raised in Python is swallowed.
"""

from __future__ import annotations

import ctypes
import json
import os
import re
import sys
import threading
from pathlib import Path
from typing import Any

from logos_cli.engines.llamacpp import library
from logos_cli.quant.calibration.imatrix import read_imatrix

# llama.cpp holds at most this much of a tensor at once; its default of 8 GiB would break the promise on memory.
BUFFER = 256 << 20
_TENSOR = re.compile(r"^\[\s*(\d+)/\s*(\d+)\] (\S+) .*?type =\s*(\S+),\s*(.*)$")
_NEW_TYPE = re.compile(r"\((\w+)\)$|converting to (\w+)")


def tell(message: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()


def tensor_message(line: str) -> dict[str, Any] | None:
    """What a line of llama.cpp's quantization log says about one tensor."""
    found = _TENSOR.match(line)
    if not found:
        return None
    number, total, name, old, rest = found.groups()
    new = _NEW_TYPE.search(rest.strip())
    return {"number": int(number), "total": int(total), "name": name, "type": (new.group(1) or new.group(2)) if new else old}


def end_with_parent() -> None:
    """Stop at once when stdin closes: the parent holds the other end, and may be killed."""
    sys.stdin.buffer.read()
    os._exit(1)


def tensor_types(binding: Any, types: dict[str, str]) -> Any:
    """Patterns that match one name each, and their types."""
    from gguf import GGMLQuantizationType

    found = (binding.llama_model_tensor_override * (len(types) + 1))()
    for entry, (name, kind) in zip(found, types.items(), strict=False):
        entry.pattern, entry.type = f"^{re.escape(name)}$".encode(), int(GGMLQuantizationType[kind])
    return found


def importance_of(binding: Any, path: str | None) -> tuple[Any, list[Any]]:
    """(entries for llama.cpp, the arrays that they point into) of an importance matrix."""
    if path is None:
        return None, []
    imatrix = read_imatrix(Path(path))
    means = {name: imatrix.mean(name) for name in sorted(imatrix.sums)}
    found = (binding.llama_model_imatrix_data * (len(means) + 1))()
    for entry, (name, mean) in zip(found, means.items(), strict=False):
        assert mean is not None
        entry.name, entry.size = name.encode(), len(mean)
        entry.data = mean.ctypes.data_as(ctypes.POINTER(ctypes.c_float))
    return found, list(means.values())


def main() -> int:
    job = json.loads(sys.argv[1])
    threading.Thread(target=end_with_parent, daemon=True).start()
    binding = library.load()
    pending = ""

    def listen(_: int, text: bytes, __: Any) -> None:
        nonlocal pending
        message = text.decode("utf-8", "replace")
        library.LOG.append(message)
        pending += message
        while "\n" in pending:
            line, pending = pending.split("\n", 1)
            if told := tensor_message(line):
                tell(told)

    callback = binding.llama_log_callback(listen)
    binding.llama_log_set(callback, ctypes.c_void_p(0))
    params = binding.llama_model_quantize_default_params()
    params.ftype, params.nthread = job["ftype"], job["threads"]
    params.dry_run, params.max_buf_size = job["dry_run"], BUFFER
    # A final empty entry ends each list.
    overrides = (binding.llama_model_kv_override * (len(job["keys"]) + 1))()
    for override, (key, value) in zip(overrides, job["keys"].items(), strict=False):
        override.key = key.encode()
        if isinstance(value, int):
            override.tag, override.value.val_i64 = binding.LLAMA_KV_OVERRIDE_TYPE_INT, value
        else:
            override.tag, override.value.val_str = binding.LLAMA_KV_OVERRIDE_TYPE_STR, value.encode()
    params.kv_overrides = ctypes.cast(overrides, type(params.kv_overrides))
    types = tensor_types(binding, job["types"])
    if job["types"]:
        params.tt_overrides = ctypes.cast(types, type(params.tt_overrides))
    importance, held = importance_of(binding, job["imatrix"])
    if held:
        params.imatrix = ctypes.cast(importance, type(params.imatrix))
    code = binding.llama_model_quantize(os.fsencode(job["source"]), os.fsencode(job["target"]), params)
    tell({"code": code, "reason": "" if code == 0 else library.last_words()})
    return 0


if __name__ == "__main__":
    sys.exit(main())
