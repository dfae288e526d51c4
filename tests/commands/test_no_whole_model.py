"""What is no model by itself, or not one of this machine: each command names it and what to do, and reads no further."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from builders import Run
from gguf_lies import header, key

from logos_cli.quant.calibration.imatrix import Imatrix, write_imatrix

Logos = Callable[..., Run]
REPOSITORY = "LOGOS-Hub/LOGOS-pretrain-1B"


def parts_of(model: Path, folder: Path) -> Path:
    """The first of several parts of `model`, written by gguf-py as llama-gguf-split does; the last one is lost."""
    import numpy as np
    from gguf import GGUFReader, GGUFWriter

    writer = GGUFWriter(folder / "m.gguf", "llama", split_max_tensors=5)
    for tensor in GGUFReader(model).tensors:
        writer.add_tensor(tensor.name, np.asarray(tensor.data), raw_dtype=tensor.tensor_type)
    writer.write_header_to_file(folder / "m.gguf")
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    parts = sorted(folder.glob("m-*.gguf"))
    assert len(parts) > 2
    parts[-1].unlink()
    return parts[0]


def importance(_: Path, folder: Path) -> Path:
    import numpy as np

    name = "blk.0.attn_q.weight"
    write_imatrix(Imatrix({name: np.ones(4, np.float32)}, {name: 2}, ("texts",), 512), folder / "i.gguf")
    return folder / "i.gguf"


def big_endian(_: Path, folder: Path) -> Path:
    (folder / "m.gguf").write_bytes(b"GGUF" + struct.pack(">IQQ", 3, 0, 0) + bytes(32))
    return folder / "m.gguf"


def lora_file(_: Path, folder: Path) -> Path:
    (folder / "l.gguf").write_bytes(header(keys=1, body=key(b"general.type", 8, struct.pack("<Q", 7) + b"adapter")))
    return folder / "l.gguf"


def lora_folder(_: Path, folder: Path) -> Path:
    (folder / "lora").mkdir()
    (folder / "lora" / "adapter_config.json").write_text(json.dumps({"base_model_name_or_path": REPOSITORY}))
    return folder / "lora"


def cache_of_the_hub(_: Path, folder: Path) -> Path:
    cache = folder / f"models--{REPOSITORY.replace('/', '--')}"
    (cache / "snapshots" / "abc").mkdir(parents=True)
    return cache


CASES: dict[str, tuple[Callable[[Path, Path], Any], str]] = {
    "split": (parts_of, "parts of a model; join them: llama-gguf-split --merge "),
    "importance matrix": (importance, "an importance matrix, made while calibrating"),
    "big-endian": (big_endian, "a big-endian GGUF"),
    "LoRA file": (lora_file, "a LoRA adapter, not a whole model"),
    "LoRA folder": (lora_folder, f"a LoRA adapter of {REPOSITORY}, not a whole model; merge it"),
    "repository": (lambda *_: REPOSITORY, f"fetch it: logos pull {REPOSITORY}"),
    "cache": (cache_of_the_hub, f"give its snapshot: models--{REPOSITORY.replace('/', '--')}/snapshots/abc"),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_each_command_names_it(
    logos_here: Logos, tmp_path: Path, nano_bf16: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    make, says = CASES[name]
    made = make(nano_bf16, Path())
    before = sorted(tmp_path.rglob("*"))
    commands: list[tuple[Any, ...]] = [
        ("generate", "molecule", "-m", made), ("score", "-m", made), ("inspect", made), ("inspect", made, "--quick"),
        ("quantize", made, "-o", "q.gguf"), ("bench", "latency", made),
    ]  # fmt: skip
    if not str(made).endswith(".gguf"):
        commands += [
            ("convert", made, "-o", "out", "--to", to, *more) for to in ("gguf", "onnx") for more in ((), ("--dry-run",))
        ]
    for command in commands:
        done = logos_here(*command, stdin="CCO\n")
        assert done.code == 1 and done.out == "" and says in done.err.splitlines()[-1], (command, done.err)
    assert sorted(tmp_path.rglob("*")) == before
