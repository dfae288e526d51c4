"""Damaged and hostile files through the real command: each ends soon, in one or two lines that name the path, with the
contract's exit code, in little memory, and leaves nothing behind."""

from __future__ import annotations

import json
import os
import shutil
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from builders import build_tokenizer, write_checkpoint
from gguf_lies import LIES
from processes import PATIENCE, check, ended

from logos_cli.chemistry.grammar import MARKERS
from logos_cli.models.gguf_header import read_header


def refused(folder: Path, path: Path, *commands: list[str | Path]) -> None:
    before = sorted(folder.rglob("*"))
    for command in commands:
        check(ended(*command), path)
        assert sorted(folder.rglob("*")) == before, "nothing is left behind"


def readers(path: Path, folder: Path) -> Iterator[list[str | Path]]:
    """Every command that reads a model file."""
    rows = folder / "in.smi"
    rows.write_text("CCO\n")
    yield ["inspect", path]
    yield ["quantize", path, "-o", folder / "out.gguf", "--type", "q8_0"]
    yield ["generate", "retro", rows, "-m", path, "-o", folder / "out.jsonl"]
    yield ["tasks", "-m", path]


GGUFS: dict[str, Callable[[bytes], bytes]] = {
    "noise": lambda data: bytes(i * 7919 % 251 for i in range(50_000)),
    "text": lambda data: b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 3000000000\n",
    "magic only": lambda data: data[:4],
    **{name: (lambda data, lie=lie: lie) for name, lie in LIES.items()},  # type: ignore[misc]
}


@pytest.mark.slow
@pytest.mark.parametrize("damage", GGUFS.values(), ids=GGUFS.keys())
def test_what_is_no_gguf(damage: Callable[[bytes], bytes], tmp_path: Path, private_cache: Path) -> None:
    path = tmp_path / "m.gguf"
    path.write_bytes(damage(b"GGUF"))
    refused(tmp_path, path, next(readers(path, tmp_path)))


@pytest.mark.slow
def test_every_reader_says_it_alike(tmp_path: Path, private_cache: Path) -> None:
    path = tmp_path / "m.gguf"
    path.write_bytes(LIES["array"])
    refused(tmp_path, path, *readers(path, tmp_path))
    folder = tmp_path / "folder"
    folder.mkdir()
    refused(tmp_path, folder, *readers(folder, tmp_path))


@pytest.mark.slow
def test_what_is_no_file(tmp_path: Path, private_cache: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    refused(tmp_path, tmp_path / "pipe", *readers(tmp_path / "pipe", tmp_path))
    assert "save it to a file" in ended("inspect", "-").err


def test_more_threads_than_help(tmp_path: Path, private_cache: Path) -> None:
    found = ended("generate", "molecule", "-m", "nano", "--threads", "9999")
    assert (found.code, found.err.count("\n")) == (2, 1) and "--threads 9999" in found.err and "give at most" in found.err


def boundaries(path: Path) -> Iterator[int]:
    """Where the sections of a GGUF end: magic, version, counts, keys, tensor table, padding, some tensors."""
    header = read_header(path)
    data = path.read_bytes()
    table = data.index(struct.pack("<Q", len(header.tensors[0].name)) + header.tensors[0].name.encode())
    last = header.tensors[-1].name.encode()
    yield from (4, 8, 16, 24, table, table + 100, data.index(last) + len(last), header.data_start)
    yield from (header.data_start + tensor.offset for tensor in header.tensors[1::16])
    yield len(data) - 1


@pytest.mark.slow
def test_a_gguf_cut_at_every_section(tmp_path: Path, tiny_gguf: Callable[[str], Path], private_cache: Path) -> None:
    whole = tiny_gguf("bf16")
    data = whole.read_bytes()
    for size in boundaries(whole):
        path = tmp_path / "m.gguf"
        path.write_bytes(data[:size])
        refused(tmp_path, path, ["inspect", path])
        last: list[str | Path] = ["quantize", path, "-o", tmp_path / "out.gguf"] if size % 2 else ["tasks", "-m", path]
        refused(tmp_path, path, last)


# Checkpoints


def table_of(path: Path) -> tuple[dict[str, Any], bytes]:
    data = path.read_bytes()
    size = int.from_bytes(data[:8], "little")
    return json.loads(data[8 : 8 + size]), data[8 + size :]


def rewritten(path: Path, change: Callable[[dict[str, Any]], object]) -> None:
    table, data = table_of(path)
    change(table)
    header = json.dumps(table).encode()
    path.write_bytes(len(header).to_bytes(8, "little") + header + data)


def huge_header(folder: Path) -> None:
    """200 MB of header that take no disk."""
    path = folder / "model.safetensors"
    path.write_bytes((200 << 20).to_bytes(8, "little") + b'{"a":')
    os.truncate(path, (200 << 20) + 100)


def config(folder: Path, **changes: Any) -> None:
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def weights(change: Callable[[dict[str, Any]], object]) -> Callable[[Path], None]:
    return lambda folder: rewritten(folder / "model.safetensors", change)


def index(**weight_map: str) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        (folder / "model.safetensors").unlink()
        (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": weight_map}))

    return change


def tokenizer(folder: Path, **changes: Any) -> None:
    path = folder / "tokenizer.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def tokenizer_model(folder: Path, **changes: Any) -> None:
    path = folder / "tokenizer.json"
    tokenizer(folder, model=json.loads(path.read_text())["model"] | changes)


def replaced(path: Path) -> Path:
    path.unlink()
    return path


def cut_tokenizer(folder: Path) -> None:
    path = folder / "tokenizer.json"
    path.write_bytes(path.read_bytes()[:5000])


NORM = "model.norm.weight"
CHECKPOINTS: dict[str, Callable[[Path], object]] = {
    "empty weights": lambda f: (f / "model.safetensors").write_bytes(b""),
    "noise": lambda f: (f / "model.safetensors").write_bytes(bytes(range(256)) * 50),
    "header of 200 MB": huge_header,
    "nested header": lambda f: (f / "model.safetensors").write_bytes((10**6).to_bytes(8, "little") + b"[" * 10**6),
    "overlap": weights(lambda t: t[NORM].update(data_offsets=[0, 512])),
    "hole": weights(lambda t: t.pop(NORM)),
    "lying dtype": weights(lambda t: t[NORM].update(dtype="F32")),
    "unknown dtype": weights(lambda t: t[NORM].update(dtype="F8_E4M3")),
    "dtype no text": weights(lambda t: t[NORM].update(dtype={})),
    "huge shape": weights(lambda t: t[NORM].update(shape=[2**62, 2**62])),
    "offsets no numbers": weights(lambda t: t[NORM].update(data_offsets=["0", None])),
    "entry no object": weights(lambda t: t.update({NORM: 7})),
    "no config": lambda f: (f / "config.json").unlink(),
    "config a folder": lambda f: replaced(f / "config.json").mkdir(),
    "config a pipe": lambda f: os.mkfifo(replaced(f / "config.json")),
    "config a list": lambda f: (f / "config.json").write_text("[1]"),
    "config NaN": lambda f: config(f, rms_norm_eps=float("nan")),
    "config text": lambda f: config(f, num_hidden_layers="2"),
    "config list value": lambda f: config(f, num_attention_heads=[4]),
    "config huge": lambda f: config(f, num_hidden_layers=10**12),
    "config rope text": lambda f: config(f, rope_scaling="linear"),
    "config architectures": lambda f: config(f, architectures=[["LlamaForCausalLM"]]),
    "index outside": index(x="../../etc/passwd"),
    "index absolute": index(x="/etc/passwd"),
    "index of numbers": index(x=7),  # type: ignore[arg-type]
    "index cut": lambda f: (index(x="a")(f), (f / "model.safetensors.index.json").write_text('{"weight_map"')),
    "pickle": lambda f: (f / "model.safetensors").rename(f / "pytorch_model.bin"),
    "tokenizer cut": cut_tokenizer,
    "added tokens a number": lambda f: tokenizer(f, added_tokens=7),
    "merges of two kinds": lambda f: tokenizer_model(f, merges=["a b", ["c", "d"]]),
    "merges of three parts": lambda f: tokenizer_model(f, merges=["a b c"]),
    "no merges": lambda f: tokenizer_model(f, merges=[]),
    "token no text": lambda f: tokenizer_model(f, vocab={"\ud800": 0}),
    "nested to death": lambda f: (f / "tokenizer.json").write_bytes(b'{"a":[' + b"[]," * (8 << 20) + b"[]]}"),
    "context of 2^39": lambda f: config(f, max_position_embeddings=2**39),
    "tokenizer empty": lambda f: (f / "tokenizer.json").write_text("{}"),
    "tokenizer a list": lambda f: (f / "tokenizer.json").write_text("[]"),
    "tokenizer of 70 MB": lambda f: os.truncate(f / "tokenizer.json", 70 << 20),
}


@pytest.mark.slow
@pytest.mark.parametrize("damage", CHECKPOINTS.values(), ids=CHECKPOINTS.keys())
def test_damaged_checkpoints(damage: Callable[[Path], object], tiny: Path, tmp_path: Path, private_cache: Path) -> None:
    folder = Path(shutil.copytree(tiny, tmp_path / "c"))
    damage(folder)
    refused(tmp_path, folder, ["convert", folder, "-o", tmp_path / "out.gguf"])


@pytest.mark.slow
def test_inspect_of_damaged_checkpoints(tiny: Path, tmp_path: Path, private_cache: Path) -> None:
    for name in ("overlap", "config a pipe", "index outside", "tokenizer cut", "added tokens a number"):
        folder = Path(shutil.copytree(tiny, tmp_path / name.replace(" ", "-")))
        CHECKPOINTS[name](folder)
        refused(tmp_path, folder, ["inspect", folder])


@pytest.mark.slow
def test_a_marker_that_is_missing_is_named(tmp_path: Path, private_cache: Path) -> None:
    folder = write_checkpoint(tmp_path / "c", build_tokenizer(markers=MARKERS[:-1]))
    assert "<Search>" in ended("convert", folder, "-o", tmp_path / "o.gguf").err


# Places


def in_namespace(script: str, size: str = "3m") -> subprocess.CompletedProcess[str]:
    """Run `script` where $D is a file system of `size`; skips where an ordinary user may not make one."""
    mount = f"mount -t tmpfs -o size={size} tmpfs $D || exit 99;"
    logos = f'logos() {{ "{sys.executable}" -m logos_cli "$@"; }}'
    command = ["unshare", "--map-root-user", "--mount", "bash", "-c", f"D=$(mktemp -d); {logos}; {mount}\n{script}"]
    if shutil.which("unshare") is None:
        pytest.skip("no unshare here")
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=PATIENCE)
    if done.returncode == 99 or "Operation not permitted" in done.stderr:
        pytest.skip("no mounts for an ordinary user here")
    return done


@pytest.mark.slow
@pytest.mark.parametrize(
    "command",
    [
        "convert nano -o $D/x.gguf",
        "convert nano -o $D/x.gguf --type int4",
        "quantize nano -o $D/x.gguf --type q8_0",
    ],
)
def test_a_full_disk(command: str, private_cache: Path) -> None:
    done = in_namespace(f"logos {command}; echo $?; ls -A $D")
    assert done.stdout.splitlines() == ["1"], "exit 1, and an empty folder"
    assert done.stderr.count("\n") == 1 and "x.gguf" in done.stderr and "Traceback" not in done.stderr


@pytest.mark.slow
def test_records_on_a_full_disk(private_cache: Path) -> None:
    """What was written can be resumed once there is room."""
    generate = "logos generate molecule -m nano -n 150 --max-tokens 40 -o $D/o.jsonl"
    done = in_namespace(
        f"{generate}; echo $?; ls -A $D; mount -o remount,size=9m $D; {generate} --resume; wc -l < $D/o.jsonl", "40k"
    )
    assert done.stdout.split() == ["1", "o.jsonl.partial", "o.jsonl.partial.json", "o.jsonl.partial.kept", "150"], done.stderr
    first = done.stderr.splitlines()[0]
    assert "o.jsonl.partial" in first and "No space left" in first and "--resume" in first


@pytest.mark.slow
def test_a_read_only_place(private_cache: Path) -> None:
    script = """
    mount -o remount,ro $D
    logos convert nano -o $D/x.gguf; echo $?
    export HOME=$D; unset XDG_CACHE_HOME
    echo CCO | logos generate retro -n 2 | wc -l
    logos doctor | grep cache
    """
    done = in_namespace(script)
    lines = done.stdout.splitlines()
    assert lines[:2] == ["1", "2"] and "nano is converted anew" in done.stdout
    assert "x.gguf" in done.stderr or "no permission" in done.stderr


@pytest.mark.slow
def test_an_output_folder_that_is_a_file(tmp_path: Path, private_cache: Path) -> None:
    (tmp_path / "file").write_text("mine")
    out = tmp_path / "file" / "x.gguf"
    refused(tmp_path, out.parent, ["convert", "nano", "-o", out])
    refused(tmp_path, out.parent, ["generate", "molecule", "-o", out.with_suffix(".jsonl")])
    assert (tmp_path / "file").read_text() == "mine"
    refused(tmp_path, tmp_path, ["convert", "nano", "-o", tmp_path], ["quantize", "nano", "-o", tmp_path])
