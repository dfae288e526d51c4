"""Good folders in every layout, and each way in which a folder can be wrong, said in one line."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from builders import build_tokenizer, write_checkpoint
from reference import load_tensors

from logos_cli.errors import CheckpointError
from logos_cli.models.checkpoint import PIECE, Checkpoint, Tensor
from logos_cli.models.tokens import Tokens


@pytest.fixture
def copy(tiny: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(tiny, tmp_path / "checkpoint"))


def edit_config(folder: Path, **changes: Any) -> None:
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


@pytest.mark.parametrize("dtype, tied, shards", [("BF16", False, 1), ("F16", True, 3), ("F32", False, 2)])
def test_tensors_are_read_by_offset(tmp_path: Path, dtype: str, tied: bool, shards: int) -> None:
    folder = write_checkpoint(tmp_path / "c", build_tokenizer(), dtype, tied, shards)
    opened = Checkpoint.open(folder)
    expected = load_tensors(folder)
    assert set(opened.tensors) == set(expected)
    assert ("lm_head.weight" in opened.tensors) is not tied
    for name, tensor in opened.tensors.items():
        raw = b"".join(tensor.rows(*span) for span in tensor.pieces())
        code = {"BF16": np.uint16, "F16": np.float16, "F32": np.float32}[dtype]
        values: Any = np.frombuffer(raw, code)
        if dtype == "BF16":
            values = (values.astype(np.uint32) << 16).view(np.float32)
        assert (values.reshape(tensor.shape) == expected[name]).all()


def test_pieces_stay_small_and_whole() -> None:
    tensor = Tensor("t", (128_256, 2048), "BF16", Path("x"), 0, 128_256 * 4096)
    spans = list(tensor.pieces(64))
    assert spans[0][0] == 0 and spans[-1][1] == 128_256
    assert all(a[1] == b[0] for a, b in pairwise(spans))
    assert all((b - a) * 4096 <= PIECE and a % 64 == 0 for a, b in spans)


def cut(folder: Path) -> None:
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-100])


def pickled(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")


def escaping(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {"x": "../secret.safetensors"}}))


def missing_shard(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {"x": "model-00002-of-00002.safetensors"}}))


DAMAGE: list[tuple[Callable[[Path], object], str]] = [
    (cut, r"model\.safetensors.*(cut short|ends at)"),
    (pickled, r"pytorch_model\.bin.*never loaded"),
    (escaping, r"\.\./secret\.safetensors.*outside"),
    (missing_shard, r"missing shard model-00002-of-00002\.safetensors"),
    (lambda f: (f / "model.safetensors").write_bytes(b"\xff" * 64), "not a safetensors file"),
    (lambda f: (f / "model.safetensors").unlink(), "no model.safetensors"),
    (lambda f: (f / "config.json").unlink(), "config.json is missing"),
    (lambda f: (f / "config.json").write_text("{"), "not valid JSON"),
    (lambda f: (f / "tokenizer.json").unlink(), "tokenizer.json is missing"),
    (lambda f: edit_config(f, architectures=["Qwen2ForCausalLM"]), "'Qwen2ForCausalLM'; only LlamaForCausalLM, Qwen3For"),
    (lambda f: edit_config(f, hidden_size=512), r"model.embed_tokens.weight has shape \[\d+, 256\].*\[\d+, 512\]"),
    (lambda f: edit_config(f, num_hidden_layers=3), r"model.layers.2.\S+ is missing"),
    (lambda f: edit_config(f, num_hidden_layers=1), r"unknown tensor model.layers.1"),
    (lambda f: edit_config(f, hidden_size="wide"), "hidden_size is 'wide'"),
    (lambda f: edit_config(f, rms_norm_eps=None), "rms_norm_eps is None"),
    (lambda f: edit_config(f, num_key_value_heads=3), "do not fit"),
    (lambda f: edit_config(f, attention_bias=True), "attention_bias is True, only False is supported"),
    (lambda f: edit_config(f, rope_scaling={"rope_type": "yarn"}), "'yarn' is not supported"),
    (lambda f: edit_config(f, rope_scaling={"rope_type": "llama3"}), "low_freq_factor is None"),
    (lambda f: edit_config(f, vocab_size=10**400), "a positive number is expected"),
]


@pytest.mark.parametrize("damage, message", DAMAGE, ids=[m[:30] for _, m in DAMAGE])
def test_what_is_wrong_is_said_in_one_line(copy: Path, damage: Callable[[Path], object], message: str) -> None:
    damage(copy)
    with pytest.raises(CheckpointError, match=message) as caught:
        Checkpoint.open(copy)
    assert "\n" not in str(caught.value)
    assert str(copy) in str(caught.value)


def test_tensor_tables_that_lie(copy: Path) -> None:
    path = copy / "model.safetensors"
    data = path.read_bytes()
    size = int.from_bytes(data[:8], "little")
    table = json.loads(data[8 : 8 + size])
    name = "model.norm.weight"
    for change, message in [
        ({"dtype": "I64"}, "I64; only"),
        ({"shape": [3]}, "does not take"),
        ({"shape": [-1]}, "damaged entry"),
        ({"data_offsets": [0, 512]}, "overlaps another"),
        ({"data_offsets": [0]}, "damaged entry"),
    ]:
        header = json.dumps(table | {name: table[name] | change}).encode()
        path.write_bytes(len(header).to_bytes(8, "little") + header + data[8 + size :])
        with pytest.raises(CheckpointError, match=message):
            Checkpoint.open(copy)


def test_rope_parameters_of_newer_transformers(copy: Path) -> None:
    raw = json.loads((copy / "config.json").read_text())
    old = Checkpoint.open(copy).config
    edit_config(copy, rope_scaling=None, rope_theta=None, rope_parameters=raw["rope_scaling"] | {"rope_theta": 10000.0})
    path = copy / "config.json"
    document = json.loads(path.read_text())
    del document["rope_theta"]
    path.write_text(json.dumps(document))
    assert Checkpoint.open(copy).config == old


def test_a_path_that_is_no_folder(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="is not there"):
        Checkpoint.open(tmp_path / "nothing")
    (tmp_path / "file").write_text("")
    with pytest.raises(CheckpointError, match="is a file"):
        Checkpoint.open(tmp_path / "file")


def test_a_tied_head_must_be_the_embedding(tmp_path: Path) -> None:
    folder = write_checkpoint(tmp_path / "c", build_tokenizer())
    edit_config(folder, tie_word_embeddings=True)
    with pytest.raises(CheckpointError, match=r"lm_head\.weight differs"):
        Checkpoint.open(folder).check_tied_head()
    write_checkpoint(tmp_path / "t", build_tokenizer(), tied=True)
    Checkpoint.open(tmp_path / "t").check_tied_head()


def test_folders_that_lead_to_a_checkpoint(copy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A LoRA adapter, a repository's name, the hub's cache of one."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(CheckpointError, match="fetch it: logos pull LOGOS-Hub/LOGOS-pretrain-1B"):
        Checkpoint.open(Path("LOGOS-Hub/LOGOS-pretrain-1B"))
    lora = tmp_path / "lora"
    lora.mkdir()
    (lora / "adapter_config.json").write_text(json.dumps({"base_model_name_or_path": "LOGOS-Hub/LOGOS-pretrain-1B"}))
    with pytest.raises(CheckpointError, match="a LoRA adapter of LOGOS-Hub/LOGOS-pretrain-1B, not a whole model; merge it"):
        Checkpoint.open(lora)
    cache = tmp_path / "models--LOGOS-Hub--LOGOS-pretrain-1B"
    (cache / "snapshots").mkdir(parents=True)
    with pytest.raises(CheckpointError, match="fetch it: logos pull LOGOS-Hub/LOGOS-pretrain-1B"):
        Checkpoint.open(cache)
    for revision in ("abc", "def"):
        shutil.copytree(copy, cache / "snapshots" / revision)
    with pytest.raises(CheckpointError, match=r"give its snapshot: .*/snapshots/"):
        Checkpoint.open(cache)
    (cache / "refs").mkdir()
    (cache / "refs" / "main").write_text("abc")
    with pytest.raises(CheckpointError, match=r"give its snapshot: .*/snapshots/abc"):
        Checkpoint.open(cache)


def test_a_byte_order_mark_is_no_damage(copy: Path) -> None:
    for name in ("config.json", "tokenizer.json", "tokenizer_config.json"):
        (copy / name).write_bytes(b"\xef\xbb\xbf" + (copy / name).read_bytes())
    opened = Checkpoint.open(copy)
    assert Tokens(copy, opened.config.vocabulary).bos is not None
