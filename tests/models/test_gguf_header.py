"""Headers that lie: each is refused at once, without reading or allocating what it claims."""

from __future__ import annotations

import os
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from builders import Run
from gguf_lies import LIES, header, key
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from logos_cli.errors import ModelFileError
from logos_cli.models import gguf_fingerprint
from logos_cli.models.gguf_header import read_header


@pytest.mark.parametrize("data", LIES.values(), ids=LIES.keys())
def test_lies_are_refused(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "m.gguf"
    path.write_bytes(data)
    with pytest.raises(ModelFileError) as caught:
        read_header(path)
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.slow
def test_a_header_may_not_take_gigabytes(tmp_path: Path) -> None:
    """Each string is of a length that is allowed; all together they are not."""
    path = tmp_path / "m.gguf"
    with path.open("wb") as stream:
        stream.write(header(keys=3)[:24])
        for name in (b"a", b"b", b"c"):
            stream.write(key(name, 8, struct.pack("<Q", 30 << 20)) + b"x" * (30 << 20))
    with pytest.raises(ModelFileError, match=r"damaged GGUF header at byte 62,9"):
        read_header(path)


def test_every_cut_is_refused(tmp_path: Path, tiny_gguf: Callable[[str], Path]) -> None:
    data = tiny_gguf("bf16").read_bytes()
    path = tmp_path / "m.gguf"
    for size in (1, 5, 23, 24, 100, 5000, 20_000, len(data) // 2, len(data) - 1):
        path.write_bytes(data[:size])
        with pytest.raises(ModelFileError):
            read_header(path)


@pytest.mark.slow
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, 20_000), st.integers(0, 255))
def test_any_flipped_byte_gives_a_header_or_one_error(
    tmp_path: Path, tiny_gguf: Callable[[str], Path], place: int, value: int
) -> None:
    """A flip may go unseen (in a token's text, say), but then the table still lies inside the file."""
    whole = tiny_gguf("bf16")
    data = bytearray(whole.read_bytes()[:60_000])
    data[place] = value
    path = tmp_path / "m.gguf"
    path.write_bytes(data)
    os.truncate(path, whole.stat().st_size)  # the rest a hole: the header must be judged by itself
    try:
        found = read_header(path)
    except ModelFileError:
        return
    assert all(found.data_start + t.offset + t.nbytes <= found.size for t in found.tensors)


def test_a_foreign_file_gets_a_fingerprint(tmp_path: Path, tiny_gguf: Callable[[str], Path]) -> None:
    ours = read_header(tiny_gguf("bf16"))
    raw = ours.path.read_bytes().replace(b"logos.", b"other.")
    (tmp_path / "foreign.gguf").write_bytes(raw)
    foreign = read_header(tmp_path / "foreign.gguf")
    assert len(foreign.fingerprint) == 64 and foreign.fingerprint != ours.fingerprint
    (tmp_path / "longer.gguf").write_bytes(raw + b"\0")
    assert read_header(tmp_path / "longer.gguf").fingerprint != foreign.fingerprint


@pytest.mark.parametrize("whole", [gguf_fingerprint.WHOLE, 0], ids=["whole", "sampled"])
def test_a_foreign_files_fingerprint_covers_its_data(
    whole: int, tmp_path: Path, tiny_gguf: Callable[[str], Path], private_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gguf_fingerprint, "WHOLE", whole)
    path = tmp_path / "foreign.gguf"
    path.write_bytes(tiny_gguf("bf16").read_bytes().replace(b"logos.", b"other."))
    first, times = read_header(path), path.stat()
    assert read_header(path).fingerprint == first.fingerprint, "from the cache"
    for tensor in (first.tensors[0], first.tensors[-1]):
        raw = bytearray(path.read_bytes())
        raw[first.data_start + tensor.offset + 1] ^= 1
        path.write_bytes(raw)
        os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))  # in place, and no later by its own word
        assert read_header(path).fingerprint != first.fingerprint


def test_other_kinds_of_files_are_named(tmp_path: Path, tiny_gguf: Callable[[str], Path]) -> None:
    def text(name: bytes, value: bytes) -> bytes:
        return key(name, 8, struct.pack("<Q", len(value)) + value)

    cases = {
        "an importance matrix": header(keys=1, body=text(b"general.type", b"imatrix")),
        "a LoRA adapter": header(keys=1, body=text(b"general.type", b"adapter")),
        "general.type is 'clock'": header(keys=1, body=text(b"general.type", b"clock")),
        "big-endian": b"GGUF" + struct.pack(">IQQ", 3, 0, 0) + bytes(32),
    }
    for says, data in cases.items():
        (tmp_path / "m.gguf").write_bytes(data)
        with pytest.raises(ModelFileError, match=says):
            read_header(tmp_path / "m.gguf")
    path = tmp_path / "m-00002-of-00003.gguf"
    path.write_bytes(header(keys=1, body=key(b"split.count", 2, struct.pack("<H", 3))))
    with pytest.raises(ModelFileError, match="one of 3 parts") as error:
        read_header(path)
    assert f"--merge {tmp_path}/m-00001-of-00003.gguf {tmp_path}/m-whole.gguf" in str(error.value)


@pytest.mark.slow
def test_a_guessed_pre_tokenizer_is_said(
    logos_here: Callable[..., Run], tmp_path: Path, tiny_gguf: Callable[[str], Path], open_model: Any
) -> None:
    """As converters of before 2024 wrote it."""
    raw, name = tiny_gguf("bf16").read_bytes(), b"tokenizer.ggml.pre"
    assert raw.count(name) == 1
    (tmp_path / "old.gguf").write_bytes(raw.replace(name, b"tokenizer.ggml.xxx"))
    notes: list[str] = []
    open_model(tmp_path / "old.gguf", note=notes.append)
    assert any("names no pre-tokenizer" in note for note in notes)
    assert "gpt2 without a named pre-tokenizer" in logos_here("inspect", tmp_path / "old.gguf", "--quick").out
