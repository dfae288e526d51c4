"""ONNX folders: what convert and quantize write, what commands say of them, and what is refused."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from builders import Run, write_checkpoint

from logos_cli.convert.nano_model import nano_checkpoint
from logos_cli.errors import CheckpointError, ModelFileError, TokenizerError, UsageError
from logos_cli.models.checkpoint import Checkpoint, Tensor
from logos_cli.models.onnx_folder import OnnxFolder
from logos_cli.models.onnx_model import DATA, GRAPH, Matrix, floats
from logos_cli.quant.onnx_blocks import quantized, quantized_bytes

pytestmark = pytest.mark.slow
Folder = Callable[..., Path]
Logos = Callable[..., Run]


@pytest.fixture
def copied(onnx_folder: Folder, tmp_path: Path) -> Path:
    """nano at int4, to be damaged."""
    return Path(shutil.copytree(onnx_folder(nano_checkpoint(), "int4"), tmp_path / "model"))


@pytest.mark.parametrize("bits, most", [(4, 0.1), (8, 0.006)])
def test_blocks_hold_what_the_operators_read(bits: int, most: float) -> None:
    """scale · (q − 2^(bits−1)), two weights a byte at 4 bits, the even one low."""
    values = np.random.default_rng(0).standard_normal((6, 96)).astype(np.float32)
    packed, scales = quantized(values, bits)
    assert packed.shape == (6, 96 * bits // 8) and scales.shape == (6, 3)
    q = np.stack([packed & 15, packed >> 4], -1).reshape(6, 96) if bits == 4 else packed
    back = (q.astype(np.float32) - 2 ** (bits - 1)) * np.repeat(scales, 32, 1)
    assert np.sqrt(np.mean((back - values) ** 2)) < most
    ends = np.abs(values).reshape(6, 3, 32).max(-1)
    assert (np.abs(scales) * 2 ** (bits - 1) >= ends * 0.85).all(), "a scale that reaches the largest weight, or nearly"


def test_four_bits_are_searched() -> None:
    """Less error than the scale that just reaches the largest weight."""
    values = np.random.default_rng(1).standard_normal((64, 256)).astype(np.float32)
    packed, scales = quantized(values, 4)
    q = np.stack([packed & 15, packed >> 4], -1).reshape(64, 256).astype(np.float32) - 8
    found = np.mean((q * np.repeat(scales, 32, 1) - values) ** 2)
    blocks = values.reshape(-1, 32)
    reach = np.take_along_axis(blocks, np.abs(blocks).argmax(1)[:, None], 1) / -8
    plain = np.mean((np.clip(np.rint(blocks / reach), -8, 7) * reach - blocks) ** 2)
    assert found < 0.95 * plain


def test_pieces_and_threads_change_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from logos_cli.quant import onnx_blocks as blocks

    values = np.random.default_rng(2).standard_normal((50, 64)).astype(np.float32)
    (tmp_path / "w").write_bytes(values.tobytes())
    parts = tuple(Tensor("w", (25, 64), "F32", tmp_path / "w", at, 6400) for at in (0, 6400))
    whole = [half.tobytes() for half in quantized(values, 4)]
    for piece, threads in ((1 << 21, 1), (640, 3)):
        monkeypatch.setattr(blocks, "_PIECE", piece)
        assert b"".join(quantized_bytes(Matrix(parts), 4, threads)) == b"".join(whole)


def test_weights_survive(tiny: Path, onnx_folder: Folder) -> None:
    """f32 initializers are the checkpoint's numbers; q, k, v and gate, up lie one after the other."""
    folder, checkpoint = OnnxFolder.open(onnx_folder(tiny, "f32")), Checkpoint.open(tiny)

    def values(tensor: Tensor) -> Any:
        return next(Matrix((tensor,)).pieces(10**6))

    p = "model.layers.1."
    packed = [p + f"self_attn.{name}_proj.weight" for name in "qkv"]
    together = np.concatenate([values(checkpoint.tensors[name]) for name in packed])
    assert np.array_equal(values(folder.tensors[p + "self_attn.qkv_proj.weight"]), together)
    assert np.array_equal(values(folder.tensors["lm_head.weight"]), values(checkpoint.tensors["lm_head.weight"]))
    names = {file.name for file in folder.path.iterdir()}
    assert {GRAPH, DATA, "config.json", "tokenizer.json", "tokenizer_config.json"} <= names


def test_a_tied_head_is_stored_once(tmp_path: Path, tokenizer: Any, onnx_folder: Folder) -> None:
    checkpoint = write_checkpoint(tmp_path / "tied", tokenizer, tied=True)
    for scheme, bits in (("f32", 32), ("int8", 9)):
        folder = OnnxFolder.open(onnx_folder(checkpoint, scheme))
        rows = folder.config.vocabulary
        embedding = sum(t.nbytes for t in folder.tensors.values() if t.shape[0] == rows)
        stored = {t.offset: t.nbytes for t in folder.tensors.values() if t.shape[0] == rows}
        assert sum(stored.values()) * 8 == rows * 256 * bits
        assert scheme == "f32" or embedding > sum(stored.values()), "two shapes of the same bytes"


def test_equal_checkpoints_have_equal_fingerprints(logos: Logos, tmp_path: Path, onnx_folder: Folder) -> None:
    first = OnnxFolder.open(onnx_folder(nano_checkpoint(), "int4"))
    assert logos("convert", "nano", "--to", "onnx", "-o", tmp_path / "again", "--type", "int4").code == 0
    again = OnnxFolder.open(tmp_path / "again")
    assert again.fingerprint == first.fingerprint and again.scheme == "int4"
    assert first.fingerprint != OnnxFolder.open(onnx_folder(nano_checkpoint(), "int8")).fingerprint


def test_quantize_equals_convert(logos: Logos, tmp_path: Path, onnx_folder: Folder) -> None:
    """From the f32 folder as from the checkpoint: the same weights."""
    source = onnx_folder(nano_checkpoint(), "f32")
    done = logos("quantize", source, "-o", tmp_path / "q", "--type", "int4", "--json")
    assert done.code == 0 and json.loads(done.out)["scheme"] == "int4"
    assert (tmp_path / "q" / DATA).read_bytes() == (onnx_folder(nano_checkpoint(), "int4") / DATA).read_bytes()
    assert OnnxFolder.open(tmp_path / "q").properties["logos.made_from"] == OnnxFolder.open(source).fingerprint
    assert json.loads(done.out)["wider"] == [{"name": "lm_head", "type": "int8", "reason": "the head at 4 bits loses most"}]
    twice = logos("quantize", tmp_path / "q", "-o", tmp_path / "qq", "--type", "int8")
    assert twice.code == 2 and "int4 already" in twice.err and not (tmp_path / "qq").exists()
    gguf = logos("quantize", source, "-o", tmp_path / "qq", "--type", "q5_k_m")
    assert gguf.code == 2 and "f32, f16, int8, int4" in gguf.err


def test_generate_evaluate_tasks_and_bench(logos: Logos, tmp_path: Path, onnx_folder: Folder) -> None:
    model = onnx_folder(nano_checkpoint(), "int4")
    done = logos("generate", "retro", "-m", model, "-n", "4", stdin="CCO ethanol\nnonsense(\nCC(=O)Nc1ccc(O)cc1 paracetamol\n")
    assert done.code == 0 and len(done.lines) == 9  # a row that cannot be used gives one record
    assert {record["model"] for record in done.lines} == {f"{model.name}@{OnnxFolder.open(model).fingerprint[:12]}"}
    (tmp_path / "r.jsonl").write_text(done.out)
    assert logos("evaluate", tmp_path / "r.jsonl").code == 0
    assert "temperature 1.0" in logos("tasks", "-m", model).out
    out = tmp_path / "latency.json"
    timed = logos("bench", "latency", model, "-r", "1", "-b", "1,8", "--new", "8", "--prompt", "64", "-n", "2", "-o", out)
    assert timed.code == 0, timed.err
    (found,) = json.loads(out.read_text())["models"]
    assert found["scheme"] == "int4" and found["build"].startswith("onnxruntime") and len(found["decode"]) == 2
    assert found["bytes"] == sum(file.stat().st_size for file in model.iterdir())


def test_accuracy_of_onnx_and_gguf_against_an_onnx_baseline(
    logos: Logos, tmp_path: Path, onnx_folder: Folder, nano_int4: Path
) -> None:
    base, model = onnx_folder(nano_checkpoint(), "f32"), onnx_folder(nano_checkpoint(), "int4")
    out = tmp_path / "loss.json"
    asked = ("--baseline", base, "--texts", "3", "--max-tokens", "64", "--no-tasks", "-o", out)
    done = logos("bench", "accuracy", base, model, nano_int4, *asked)
    assert done.code == 0, done.err
    itself, onnx_int4, gguf_int4 = json.loads(out.read_text())["models"]
    assert itself["kld"]["mean"]["value"] < 1e-9, "read row by row by the same engine"
    assert 1e-4 < onnx_int4["kld"]["mean"]["value"] < 0.1 and 1e-4 < gguf_int4["kld"]["mean"]["value"] < 0.1


def test_inspect_and_doctor(logos: Logos, onnx_folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    model = onnx_folder(nano_checkpoint(), "int4")
    shown = logos("inspect", model)
    assert shown.code == 0 and "ONNX folder" in shown.out and "data checksum" in shown.out
    found = json.loads(logos("inspect", model, "--json").out)
    assert found["format"] == "onnx" and found["scheme"] == "int4" and found["parameters"] == 7_278_336
    kinds = {(group["kind"], group["type"]) for group in found["tensors"]}
    assert {("lm_head", "int8"), ("model.embed_tokens", "int4"), ("mlp.down_proj", "int4")} <= kinds
    monkeypatch.setenv("LOGOS_MODEL", str(model))
    # Its lines are wrapped, and the path of a temporary folder may be long.
    assert f"{model},int4" in "".join(logos("doctor").out.split())


def test_a_flipped_bit_in_the_data(logos: Logos, copied: Path, tmp_path: Path) -> None:
    data = bytearray((copied / DATA).read_bytes())
    data[len(data) // 2] ^= 1
    (copied / DATA).write_bytes(data)
    shown = logos("inspect", copied)
    assert shown.code == 1 and "DAMAGED" in shown.out and len(shown.err.strip().splitlines()) == 1


def damage(folder: Path, how: str) -> None:
    graph, data = folder / GRAPH, folder / DATA
    proto = onnx.load(str(graph), load_external_data=False)
    if how == "cut data":
        os.truncate(data, data.stat().st_size - 9999)
    elif how == "no data":
        data.unlink()
    elif how == "linked data":
        data.rename(folder / "elsewhere")
        data.symlink_to("elsewhere")
    elif how == "changed graph":
        graph.write_bytes(graph.read_bytes().replace(b"QuickGelu", b"FastGelu_"))
    elif how == "garbage":
        graph.write_bytes(b"\xff" * 1000)
    elif how == "changed tokenizer":
        (folder / "tokenizer.json").write_text((folder / "tokenizer.json").read_text() + " ")
    elif how == "no config":
        (folder / "config.json").unlink()
    elif how == "foreign":
        del proto.metadata_props[:]
        graph.write_bytes(proto.SerializeToString())
    elif how in ("path outside", "too long"):
        from logos_cli.models.onnx_model import write_graph

        key, value = ("location", "../weights") if how == "path outside" else ("offset", str(1 << 50))
        for entry in proto.graph.initializer[-1].external_data:
            entry.value = value if entry.key == key else entry.value
        write_graph(proto, graph, {p.key: p.value for p in proto.metadata_props if not p.key.endswith("graph_sha256")})


@pytest.mark.parametrize(
    "how, says",
    [
        ("cut data", "cut short"), ("no data", "the weights are in it"), ("linked data", "a link"),
        ("changed graph", "checksum differs"), ("garbage", "not an ONNX graph"),
        ("changed tokenizer", "tokenizer.json: damaged or changed"), ("no config", "config.json"),
        ("foreign", "not written by this tool"), ("path outside", "outside model.onnx.data"), ("too long", "cut short"),
    ],
)  # fmt: skip
def test_damaged_and_foreign_folders_are_one_line(logos: Logos, copied: Path, how: str, says: str) -> None:
    damage(copied, how)
    done = logos("generate", "molecule", "-m", copied)
    assert done.code == 1 and done.out == "" and says in done.err
    assert len(done.err.strip().splitlines()) == 1 and str(copied) in done.err


def test_a_graph_named_instead_of_its_folder(logos: Logos, copied: Path) -> None:
    done = logos("generate", "molecule", "-m", copied / GRAPH)
    assert done.code == 1 and f"name the folder it lies in, {copied}" in done.err


@pytest.mark.parametrize("scheme", ["f32", "f16", "int8", "int4"])
def test_a_dry_run_says_the_size(logos_here: Logos, tmp_path: Path, onnx_folder: Folder, scheme: str) -> None:
    done = logos_here("convert", "nano", "--to", "onnx", "-o", tmp_path / "out", "--type", scheme, "--dry-run", "--json")
    assert done.code == 0 and not (tmp_path / "out").exists() and "nothing was written" in done.err
    real = sum(path.stat().st_size for path in onnx_folder(nano_checkpoint(), scheme).iterdir())
    assert json.loads(done.out)["bytes"] == real


def test_outputs_that_are_refused(logos: Logos, tmp_path: Path, onnx_folder: Folder) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").write_text("years of work")
    done = logos("convert", "nano", "--to", "onnx", "-o", tmp_path / "mine")
    assert done.code == 1 and "other things in it" in done.err and (tmp_path / "mine" / "thesis.tex").exists()
    (tmp_path / "mine" / GRAPH).write_text("another program's")
    done = logos("convert", "nano", "--to", "onnx", "-o", tmp_path / "mine")
    assert done.code == 1 and "thesis.tex" in done.err and (tmp_path / "mine" / "thesis.tex").exists()
    for arguments, says in (
        (("--to", "onnx", "--type", "q4_k_m"), "f32, f16, int8, int4"),
        (("--to", "onnx", "--type", "bf16"), "f32, f16, int8, int4"),
        (("--to", "onnx", "--portable", "--dry-run"), "leave out --portable"),
        (("--portable",), "--to onnx"),
        (("--to", "onnx", "--portable", "--type", "int4"), "f32 or int8"),
        (("--to", "onnx", "--activations", "f16"), "int8 or int4"),
    ):
        done = logos("convert", "nano", "-o", tmp_path / "out", *arguments)
        assert done.code == 2 and says in done.err and not (tmp_path / "out").exists()
    again = logos("convert", "nano", "--to", "onnx", "-o", tmp_path / "twice", "--type", "int8")
    assert again.code == 0 and logos("convert", "nano", "--to", "onnx", "-o", tmp_path / "twice", "--type", "int4").code == 0
    assert OnnxFolder.open(tmp_path / "twice").scheme == "int4", "a folder of ours is replaced"
    assert {path.name for path in tmp_path.iterdir()} == {"mine", "twice"}, "nothing is left beside it"


def test_a_matrix_that_does_not_divide_stays_wide(tmp_path: Path, tokenizer: Any, onnx_folder: Folder, logos: Logos) -> None:
    checkpoint = write_checkpoint(tmp_path / "odd", tokenizer, intermediate_size=528)
    done = logos("convert", checkpoint, "--to", "onnx", "-o", tmp_path / "m", "--type", "int4", "--json")
    wider = {(entry["name"], entry["type"]) for entry in json.loads(done.out)["wider"]}
    assert ("model.layers.0.mlp.down_proj.weight", "f32") in wider and ("lm_head", "int8") in wider
    assert logos("generate", "molecule", "-m", tmp_path / "m", "--max-tokens", "5").code == 0


def test_numbers_that_are_none_are_not_packed(tmp_path: Path) -> None:
    values = np.ones((4, 64), np.float32)
    values[2, 7] = np.nan
    (tmp_path / "w").write_bytes(values.tobytes())
    matrix = Matrix((Tensor("w", (4, 64), "F32", tmp_path / "w", 0, 1024),))
    for bits in (4, 8):
        with pytest.raises(CheckpointError, match="tensor w has a NaN or an infinity among rows 0 to 3"):
            list(quantized_bytes(matrix, bits, 1))
    values[2, 7] = 1e6
    (tmp_path / "w").write_bytes(values.tobytes())
    with pytest.raises(CheckpointError, match="f16 cannot hold"):
        list(floats(matrix, "F16"))


def test_shapes_that_the_operators_do_not_take(tmp_path: Path, tokenizer: Any, onnx_folder: Folder) -> None:
    checkpoint = write_checkpoint(tmp_path / "c", tokenizer, num_attention_heads=32, head_dim=8)
    with pytest.raises(CheckpointError, match=r"heads of 8: .* take --to gguf"):
        onnx_folder(checkpoint, "f32")


def test_a_marker_that_is_not_one_token(tmp_path: Path, onnx_folder: Folder, open_model: Any) -> None:
    """It converts; the tasks that need the marker are refused."""
    from builders import build_tokenizer

    engine = open_model(onnx_folder(write_checkpoint(tmp_path / "c", build_tokenizer(markers=("<MoleculeS>",))), "f32"))
    assert engine.token_texts()[engine.marker("<MoleculeS>")] == "<MoleculeS>"
    with pytest.raises(TokenizerError, match=r"marker <ProteinS> is \d+ tokens in this model, not one"):
        engine.marker("<ProteinS>")


def test_unknown_schemes(tiny: Path, onnx_folder: Folder) -> None:
    with pytest.raises(UsageError, match="int5"):
        onnx_folder(tiny, "int5")
    with pytest.raises(ModelFileError, match="folder that holds"):
        OnnxFolder.open(tiny)


def test_without_the_extra_the_command_is_named(copied: Path, tmp_path: Path) -> None:
    """A module of that name that cannot be imported stands in the way of the real one."""
    (tmp_path / "path").mkdir()
    (tmp_path / "path" / "onnx.py").write_text("raise ImportError(\"No module named 'onnx'\")\n")
    found = os.environ | {"PYTHONPATH": os.pathsep.join([str(tmp_path / "path"), *sys.path])}
    for arguments in (("generate", "molecule", "-m", copied), ("convert", "nano", "--to", "onnx", "-o", tmp_path / "x")):
        command = [sys.executable, "-m", "logos_cli", *map(str, arguments)]
        done = subprocess.run(command, env=found, check=False, capture_output=True, text=True)
        assert done.returncode == 1 and "pip install 'logos-cli[onnx]'" in done.stderr, done.stderr


@pytest.mark.peer
def test_the_portable_export_under_optimum(logos: Logos, tmp_path: Path) -> None:
    optimum = pytest.importorskip("optimum.onnxruntime")
    import torch
    import transformers

    ids = torch.tensor([[749, 5, 6, 7, 30, 31, 32, 33]])
    reference = transformers.LlamaForCausalLM.from_pretrained(nano_checkpoint(), dtype=torch.float32)
    with torch.inference_mode():
        expected = reference(ids).logits
    for scheme, most in (("f32", 1e-4), ("int8", 1.0)):
        out = tmp_path / scheme
        done = logos("convert", "nano", "--to", "onnx", "--portable", "-o", out, "--type", scheme)
        assert done.code == 0, done.err
        found = optimum.ORTModelForCausalLM.from_pretrained(out)(ids, attention_mask=torch.ones_like(ids)).logits
        assert (found - expected).abs().max() < most
        refused = logos("generate", "molecule", "-m", out)
        assert refused.code == 1 and "portable export" in refused.err
    assert {node.domain for node in onnx.load(str(tmp_path / "f32" / GRAPH)).graph.node} == {""}
