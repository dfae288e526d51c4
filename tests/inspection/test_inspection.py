"""`logos inspect`: what is shown, and every kind of damage that reading a file can find."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from builders import Run, build_tokenizer, write_checkpoint

from logos_cli.chemistry.grammar import MARKERS
from logos_cli.models.gguf_header import read_header
from logos_cli.models.tensor_values import all_finite


def flipped(path: Path, place: int) -> None:
    with path.open("rb+") as stream:
        stream.seek(place)
        (byte,) = stream.read(1)
        stream.seek(place)
        stream.write(bytes([byte ^ 0x55]))


@pytest.mark.slow
def test_a_gguf_of_ours(logos: Callable[..., Run], nano_int4: Path, nano_bf16: Path) -> None:
    plain = logos("inspect", nano_int4)
    assert plain.code == 0 and plain.err == ""
    lines = plain.out.splitlines()
    assert max(map(len, lines[1:])) <= 80
    assert "16 of 16 are one token each" in plain.out and "header checksum, data checksum" in plain.out
    found = json.loads(logos("inspect", nano_int4, "--json").out)
    assert found["scheme"] == "q4_k_m" and found["provenance"]["quantized_from"] == read_header(nano_bf16).fingerprint
    assert found["vocabulary"]["markers"] == list(MARKERS) and found["problems"] == []
    assert found["parameters"] == sum(t.elements for t in read_header(nano_bf16).tensors)
    assert {g["type"] for g in found["tensors"] if g["kind"] == "attn_q"} == {"Q4_K"}


@pytest.mark.slow
def test_a_checkpoint(logos: Callable[..., Run], tiny: Path, tmp_path: Path) -> None:
    found = json.loads(logos("inspect", tiny, "--json").out)
    assert (found["format"], found["scheme"], found["problems"]) == ("checkpoint", "bf16", [])
    assert found["architecture"]["rope_scaling"] == "llama3" and found["files"][0]["name"] == "model.safetensors"
    lacking = write_checkpoint(tmp_path / "c", build_tokenizer(markers=MARKERS[:-1]))
    shown = logos("inspect", lacking)
    assert shown.code == 0 and "15 of 16 are one token each, missing: <Search>" in shown.out


@pytest.mark.slow
def test_the_manifest_of_a_pull_goes_along(logos: Callable[..., Run], tiny: Path, tmp_path: Path) -> None:
    """Where the weights come from is in the converted file, and each file of the folder is compared with what came."""
    folder = Path(shutil.copytree(tiny, tmp_path / "c"))
    files = [{"name": f.name, "size": f.stat().st_size, "sha256": sha256(f)} for f in sorted(folder.iterdir())]
    stated = {"repo": "o/r", "revision": "main", "commit": "c" * 40, "endpoint": "e", "date": "2026", "license": "cc-by-4.0"}
    (folder / "logos-manifest.json").write_text(json.dumps({"schema": 1, **stated, "files": files}))
    whole = logos("inspect", folder)
    assert whole.code == 0 and f"sizes and sha256 of {len(files)} files" in whole.out.replace("\n               ", " ")
    assert logos("convert", folder, "-o", tmp_path / "m.gguf").code == 0
    origin = json.loads(logos("inspect", tmp_path / "m.gguf", "--json").out)["provenance"]
    assert (origin["source"], origin["license"]) == (f"o/r@{'c' * 40}", "cc-by-4.0")
    flipped(folder / "model.safetensors", 5000)
    damaged = logos("inspect", folder)
    assert damaged.code == 1 and "model.safetensors: sha256" in damaged.err and "run logos pull again" in damaged.err
    assert logos("inspect", folder, "--quick").code == 0
    refused = logos("convert", folder, "-o", tmp_path / "damaged.gguf")
    assert refused.code == 1 and "sha256" in refused.err and not (tmp_path / "damaged.gguf").exists()


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.slow
def test_a_flipped_bit_in_the_data(logos: Callable[..., Run], nano_int4: Path, tmp_path: Path) -> None:
    path = Path(shutil.copy(nano_int4, tmp_path / "m.gguf"))
    flipped(path, path.stat().st_size - 1000)
    found = logos("inspect", path)
    assert found.code == 1 and "DAMAGED" in found.out
    assert found.err.count("\n") == 1 and str(path) in found.err and "checksum differs" in found.err
    assert logos("inspect", path, "--quick").code == 0


def test_damage_is_not_quantized_into_a_whole_file(logos: Callable[..., Run], nano_bf16: Path, tmp_path: Path) -> None:
    path = Path(shutil.copy(nano_bf16, tmp_path / "m.gguf"))
    flipped(path, path.stat().st_size - 1000)
    found = logos("quantize", path, "-o", tmp_path / "q.gguf")
    assert found.code == 1 and "checksum differs" in found.err and not (tmp_path / "q.gguf").exists()


def test_a_changed_header(logos: Callable[..., Run], nano_int4: Path, tmp_path: Path) -> None:
    """Another program that works on our file keeps our keys: they are not believed then."""
    path = tmp_path / "m.gguf"
    path.write_bytes(nano_int4.read_bytes().replace(b"llama.context_length", b"llama.kontext_length"))
    found = logos("inspect", path)
    assert found.code == 1 and "the header is not what logos wrote" in found.err
    header = read_header(path)
    assert not header.sealed and header.fingerprint != read_header(nano_int4).fingerprint and header.scheme == "q4_k"


@pytest.mark.slow
def test_numbers_that_are_none(logos: Callable[..., Run], tiny: Path, tiny_gguf: Callable[[str], Path], tmp_path: Path) -> None:
    folder = Path(shutil.copytree(tiny, tmp_path / "c"))
    weights = folder / "model.safetensors"
    with weights.open("rb+") as stream:
        stream.seek(weights.stat().st_size - 2)
        stream.write(b"\xff\xff")
    assert "not numbers" in logos("inspect", folder).err
    raw = tiny_gguf("bf16").read_bytes().replace(b"logos.", b"other.")
    (tmp_path / "foreign.gguf").write_bytes(raw[:-64] + b"\xff" * 64)
    found = logos("inspect", tmp_path / "foreign.gguf")
    assert found.code == 1 and "not numbers (NaN or infinity) in tensor output" in found.err
    (tmp_path / "foreign.gguf").write_bytes(raw)
    whole = logos("inspect", tmp_path / "foreign.gguf")
    assert whole.code == 0 and "another program" in whole.out


@pytest.mark.parametrize("kind", ["Q8_0", "Q4_0", "Q4_K", "Q5_K", "Q6_K", "IQ4_XS", "F32", "F16", "BF16"])
def test_values_are_looked_at_where_they_lie(kind: str) -> None:
    """Any bytes may be damage: what we say of them is what the `gguf` package finds when it decodes them."""
    from gguf import GGML_QUANT_SIZES, GGMLQuantizationType, quants

    number = GGMLQuantizationType[kind]
    size = GGML_QUANT_SIZES[number][1]
    rng = np.random.default_rng(0)
    seen = set()
    for _ in range(400):
        raw = rng.integers(0, 256, size, np.uint8)
        # Mostly small numbers, now and then all bits of some exponent.
        raw = np.where(rng.random(size) < 0.1, 0xFF, raw & 0x3F).astype(np.uint8)
        with np.errstate(all="ignore"):
            finite = bool(np.isfinite(quants.dequantize(raw.reshape(1, -1), number)).all())
        assert all_finite(raw.tobytes(), kind) == finite
        seen.add(finite)
    assert seen == {True, False} or kind in ("F32", "F16", "BF16")
