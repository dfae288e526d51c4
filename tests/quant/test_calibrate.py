"""The importance matrix: what is summed, against a numpy forward pass and llama-imatrix; files of both formats; bad ones."""

from __future__ import annotations

import os
import struct
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest
from builders import Run
from reference import ReferenceLlama

from logos_cli.benchmarks.accuracy.token_level import TokenMap, read_text
from logos_cli.engines.engine import EngineSettings
from logos_cli.errors import InputError, ModelFileError
from logos_cli.models.architectures.llama import LLAMA
from logos_cli.models.gguf_header import read_header
from logos_cli.pipeline.own_texts import NamedText
from logos_cli.quant.calibration import calibrate
from logos_cli.quant.calibration.calibrate import Sequences, collect, open_unquantized, sequences_of_rows
from logos_cli.quant.calibration.imatrix import Imatrix, is_imatrix, read_imatrix, write_imatrix
from logos_cli.quant.quantize_gguf import Recipe, quantize_gguf
from logos_cli.quant.schemes import scheme_named
from logos_cli.rows.row import Recorded, Row

CPU = EngineSettings(device="cpu")


@pytest.fixture(scope="module")
def text_ids() -> tuple[tuple[int, ...], ...]:
    rng = np.random.default_rng(0)
    return tuple(tuple(rng.integers(3, 500, n).tolist()) for n in (40, 3, 61))


@pytest.mark.slow
def test_sums_are_those_of_an_independent_forward_pass(tiny: Path, tiny_gguf: Callable[[str], Path], text_ids: Any) -> None:
    """All tokens of all texts count, short texts too; the head among them, the embedding not."""
    engine = open_unquantized(tiny_gguf("f32"), CPU)
    try:
        found = collect(engine, Sequences(text_ids, "random"))
    finally:
        engine.close()
    reference = ReferenceLlama(tiny)
    for ids in text_ids:
        reference.logits(list(ids))
    inputs = {LLAMA.gguf_name(name): np.concatenate(rows) for name, rows in reference.inputs.items()}
    assert set(found.sums) == set(inputs) and "output.weight" in found.sums and "token_embd.weight" not in found.sums
    for name, rows in inputs.items():
        assert found.counts[name] == len(rows) == sum(map(len, text_ids))
        assert found.sums[name] == pytest.approx((rows**2).sum(0), rel=2e-3, abs=1e-4), name


def test_written_and_read_back(tmp_path: Path) -> None:
    whole = Imatrix({"blk.0.attn_q.weight": np.array([4.0, 9.0], np.float32)}, {"blk.0.attn_q.weight": 2}, ("texts",), 512)
    write_imatrix(whole, tmp_path / "i.gguf")
    found = read_imatrix(tmp_path / "i.gguf")
    assert found.datasets == ("texts",) and found.chunk == 512 and found.tokens == 2 and is_imatrix(tmp_path / "i.gguf")
    mean = found.mean("blk.0.attn_q.weight")
    assert mean is not None and mean.tolist() == [2.0, 4.5] and found.mean("other") is None
    # As llama.cpp's own loader asks for it.
    reader = gguf.GGUFReader(tmp_path / "i.gguf")
    assert {t.name for t in reader.tensors} == {"blk.0.attn_q.weight.in_sum2", "blk.0.attn_q.weight.counts"}
    assert {"imatrix.datasets", "imatrix.chunk_count", "imatrix.chunk_size"} <= reader.fields.keys()
    none = Imatrix({"a": np.zeros(2, np.float32)}, {"a": 0})
    assert none.mean("a") == pytest.approx([1, 1])  # as llama-quantize: no token reached it


def legacy(name: bytes, calls: int, values: list[float], tail: bytes = b"") -> bytes:
    entry = struct.pack("<ii", 1, len(name)) + name + struct.pack("<ii", calls, len(values))
    return entry + struct.pack(f"<{len(values)}f", *values) + tail


def test_the_older_format(tmp_path: Path) -> None:
    file = tmp_path / "old.dat"
    file.write_bytes(legacy(b"blk.0.ffn_up.weight", 4, [8.0, 2.0], struct.pack("<ii", 4, 4) + b"wiki"))
    found = read_imatrix(file)
    mean = found.mean("blk.0.ffn_up.weight")
    assert is_imatrix(file) and mean is not None and mean.tolist() == [2.0, 0.5] and found.datasets == ("wiki",)


@pytest.mark.parametrize(
    "content, said",
    [
        (legacy(b"a", 1, [1.0])[:-2], "cut short"),
        (struct.pack("<i", 0) + b"....", "0 entries"),
        (struct.pack("<ii", 1, 2_000_000_000), "cut short"),
        (struct.pack("<ii", 1, -5), "cut short"),
        (b"GGUF" + b"\0" * 40, "damaged"),
    ],
)
def test_damaged_files(tmp_path: Path, content: bytes, said: str) -> None:
    (tmp_path / "i").write_bytes(content)
    with pytest.raises(ModelFileError, match=said) as caught:
        read_imatrix(tmp_path / "i")
    assert str(tmp_path / "i") in str(caught.value)


def test_of_another_model(tmp_path: Path, tiny_gguf: Callable[[str], Path], nano_bf16: Path) -> None:
    source = tiny_gguf("bf16")
    names = [t.name for t in read_header(source).tensors if len(t.shape) > 1]
    for sums, said in (
        ({name: np.ones(7, np.float32) for name in names}, "7 values for"),
        ({"blk.0.attn_q.weight": np.ones(256, np.float32)}, "nothing about"),
        ({name: np.full(512 if "down" in name else 256, np.nan, np.float32) for name in names}, "no mean squares"),
    ):
        write_imatrix(Imatrix(sums, dict.fromkeys(sums, 1)), tmp_path / "i.gguf")
        with pytest.raises(ModelFileError, match=said):
            recipe = Recipe(tmp_path / "i.gguf")
            quantize_gguf(source, tmp_path / "q.gguf", scheme_named("int4"), None, lambda *_: None, recipe)
    with pytest.raises(ModelFileError, match="not an importance matrix"):
        read_imatrix(nano_bf16)


def test_rows_are_read_as_their_task_has_them(tiny_gguf: Callable[[str], Path], open_model: Any) -> None:
    engine = open_model(tiny_gguf("bf16"))
    rows = [
        Row(0, "a", "CCO"), Row(1, "b", text="<ProteinS>MK<ProteinE>"), Row(2, "c", "CC(=O)OC>>CC(=O)O.CO"),
        Row(3, "d", error="no SMILES"), Row(4, "e", "WCHM" * 2000, kind="sequence"),
    ]  # fmt: skip
    found = sequences_of_rows(rows, None, engine, "rows.smi")
    assert found.ids[0] == engine.encode("<MoleculeS>CCO<MoleculeE>") and found.ids[1] == engine.encode(
        "<ProteinS>MK<ProteinE>"
    )
    assert len(found.ids) == 3 and [text.partition(":")[0] for text in found.left_out] == ["row 4", "row 5"]
    record = Row(5, "f", "CCO", recorded=Recorded("retro", "CCOC(C)=O", "<MoleculeS>CCO<MoleculeE>"))
    (ids,) = sequences_of_rows([record], None, engine, "ranked.jsonl").ids
    text = "<MoleculeS>CCOC(C)=O<MoleculeE><ReverseReact><MoleculeS>CCO<MoleculeE>"
    assert ids == (*engine.encode(text), engine.end)
    with pytest.raises(InputError, match=r"rows\.smi: none of 1 rows"):
        sequences_of_rows(rows[3:4], None, engine, "rows.smi")


# Known drugs, a protein and reactions: none of them among what nano writes by itself.
UNSEEN = (
    "<MoleculeS>CC(=O)Oc1ccccc1C(=O)O<MoleculeE>", "<MoleculeS>CN1C(=O)CN=C(c2ccccc2)c2cc(Cl)ccc21<MoleculeE>",
    "<MoleculeS>CC(C)NCC(O)COc1ccc(CCOCC2CC2)cc1<MoleculeE>", "<MoleculeS>COc1ccc2cc(C(C)C(=O)O)ccc2c1<MoleculeE>",
    "<MoleculeS>CCOC(=O)c1ccc(N)cc1<MoleculeE><ReverseReact><MoleculeS>CCO<MoleculeE><MoleculeS>Nc1ccc(C(=O)O)cc1<MoleculeE>",
    "<MoleculeS>CC(=O)Nc1ccc(O)cc1<MoleculeE><ReverseReact><MoleculeS>CC(=O)Cl<MoleculeE><MoleculeS>Nc1ccc(O)cc1<MoleculeE>",
    "<ProteinS>MVLSPADKTNVKAAWGKVGAHAGEYGAEALERMFLSFPTTKTYFPHFDLSHGSAQVKGHGKKVADALTNAVAHVDDMPNALSALSDLHAHKL<ProteinE>",
    "<AntibodyS>EVQLVESGGGLVQPGGSLRLSCAASGFNIKDTYIHWVRQAPGKGLEWVARIYPTNGYTRYADSVKGRFTISADTSKNTAYLQMNSLRAEDTAVYYCSR<AntibodyE>",
)  # fmt: skip


@pytest.mark.slow
def test_own_samples_lower_the_loss_on_unseen_text(
    logos_here: Callable[..., Run], nano_bf16: Path, nano_int4: Path, tmp_path: Path, open_model: Any, monkeypatch: Any
) -> None:
    """Without a file the model writes what it is calibrated on; a quarter of it here, to be quick. With all of it the loss on
    held-out data of every modality is 0.48 of plain int4's (docs/calibration.md)."""
    out = tmp_path / "c.gguf"
    monkeypatch.setattr(calibrate, "SAMPLES", 8)
    done = logos_here("quantize", "nano", "-o", out, "--calibrate")
    assert done.code == 0 and "own samples" in done.err and abs(out.stat().st_size - nano_int4.stat().st_size) < 1000, done.err
    baseline = open_model(nano_bf16)
    pairs = [TokenMap(baseline, open_model(path)) for path in (nano_int4, out)]
    lost = np.zeros(2)
    for number, text in enumerate(UNSEEN):
        for place, found in enumerate(read_text(NamedText(str(number), "any", text), baseline, pairs)):
            assert not isinstance(found, str)
            lost[place] += found.kl.sum()
    assert 0 < lost[1] < 0.75 * lost[0]


@pytest.mark.peer
def test_llama_imatrix_sums_the_same(nano_bf16: Path, tmp_path: Path) -> None:
    """$LLAMA_BIN is the folder of llama-imatrix and llama-quantize, built of the same llama.cpp."""
    if "LLAMA_BIN" not in os.environ:
        pytest.skip("$LLAMA_BIN is not set")
    tools = Path(os.environ["LLAMA_BIN"])
    engine = open_unquantized(nano_bf16, CPU)
    text = "".join(f"<MoleculeS>{'C' * (i % 7)}C(=O)Nc1ccccc1<MoleculeE><ProteinS>MKTAYIAKQR<ProteinE>" for i in range(60))
    (tmp_path / "t.txt").write_text(text)
    ids = engine.tokenize(text)
    chunks = tuple((ids[0], *ids[i + 1 : i + 512]) for i in range(0, len(ids) // 512 * 512, 512))
    ours = collect(engine, Sequences(chunks, "t.txt"))
    engine.close()
    common = ["-m", str(nano_bf16), "-f", str(tmp_path / "t.txt"), "-c", "512", "-b", "512", "-ub", "512", "-fa", "on"]
    theirs = tmp_path / "theirs.gguf"
    command = [str(tools / "llama-imatrix"), *common, "--parse-special", "--process-output", "-o", str(theirs)]
    subprocess.run(command, check=True, capture_output=True)
    found = read_imatrix(theirs)
    assert set(found.sums) == set(ours.sums) and found.tokens == ours.tokens == 512 * len(chunks)
    for name in ours.sums:
        assert ours.mean(name) == pytest.approx(found.mean(name), rel=1e-3, abs=1e-7), name
    subprocess.run([tools / "llama-quantize", "--imatrix", theirs, nano_bf16, tmp_path / "q.gguf", "q4_k_m"], check=True)
    quantize_gguf(nano_bf16, tmp_path / "o.gguf", scheme_named("int4"), None, lambda *_: None, Recipe(theirs))
    mine, other = read_header(tmp_path / "o.gguf"), read_header(tmp_path / "q.gguf")
    assert mine.path.read_bytes()[mine.data_start :] == other.path.read_bytes()[other.data_start :]


@pytest.mark.slow
def test_the_command(logos_here: Callable[..., Run], tmp_path: Path, tiny_gguf: Callable[[str], Path]) -> None:
    model, out, matrix = tiny_gguf("bf16"), tmp_path / "q.gguf", tmp_path / "i.gguf"
    rows = tmp_path / "rows.smi"
    rows.write_text("".join(f"{'C' * n}O\n" for n in range(1, 30)) + "not a smiles\n")
    done = logos_here("quantize", model, "-o", out, "--type", "q4_0", "--calibrate", rows, "--save-imatrix", matrix)
    assert done.code == 0 and "1 row left out, first: row 30" in done.err and "29 texts" in done.err, done.err
    header = read_header(out)
    assert header.text("quantize.imatrix.dataset") == "rows.smi" and header.scheme == "q4_0" and header.sealed
    shown = logos_here("inspect", out)
    assert shown.code == 0 and "rows.smi" in shown.out and "feedback" in shown.out, shown.out
    # A matrix that is there already is taken as it is: llama.cpp's own rounding.
    again = tmp_path / "again.gguf"
    assert logos_here("quantize", model, "-o", again, "--type", "q4_0", f"--calibrate={matrix}").code == 0
    assert "feedback" not in logos_here("inspect", again).out
    assert read_header(again).fingerprint != header.fingerprint
    for arguments, code, said in (
        (("--calibrate", tmp_path / "no.smi"), 1, "No such file"),
        (("--type", "bf16", "--calibrate"), 2, "nothing to calibrate"),
        (("--calibrate", matrix, "--save-imatrix", tmp_path / "x"), 2, "is an importance matrix already"),
        (("--task", "antibody"), 2, "--task is for --calibrate"),
        (("--resume",), 2, "--resume is for --calibrate"),
    ):
        failed = logos_here("quantize", model, "-o", tmp_path / "f.gguf", *arguments)
        assert failed.code == code and said in failed.err, failed.err
        assert not (tmp_path / "f.gguf").exists()
