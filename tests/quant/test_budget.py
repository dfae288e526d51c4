"""Types within a budget: parsing it, the knapsack against trying everything, measured damage, the command and its end."""

from __future__ import annotations

import itertools
import json
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from builders import Run, build_tokenizer, convert, write_checkpoint
from gguf import GGMLQuantizationType
from hypothesis import given, settings
from hypothesis import strategies as st
from processes import AT_ONCE, lines_in, running, wait_until

from logos_cli.engines.engine import EngineSettings
from logos_cli.engines.llamacpp.tensors import read_bytes, replace
from logos_cli.errors import UsageError
from logos_cli.models.gguf_header import read_header
from logos_cli.quant.calibration.budget import Budget, Option, best_choice, cheapest, free_bytes
from logos_cli.quant.calibration.calibrate import Sequences, collect, open_unquantized
from logos_cli.quant.calibration.damage import Damage, Meter, sample, smallest


@pytest.mark.parametrize(
    "text, bits, size",
    [("4.5", 4.5, None), ("620MB", None, 620_000_000), ("0.6GB", None, 600_000_000), ("590MiB", None, 590 << 20),
     ("3000kB", None, 3_000_000), ("100B", None, 100)],
)  # fmt: skip
def test_budgets(text: str, bits: float | None, size: int | None) -> None:
    assert Budget.parse(text) == Budget(bits, size)


@pytest.mark.parametrize("text", ["", "-4", "620", "0", "4.5 bits", "MB", "620XB", "nan"])
def test_what_is_no_budget(text: str) -> None:
    with pytest.raises(UsageError, match="--budget"):
        Budget.parse(text)


tables = st.lists(st.lists(st.tuples(st.integers(1, 60), st.floats(0, 10)), min_size=1, max_size=4), min_size=1, max_size=5)


@pytest.mark.slow
@settings(max_examples=200, deadline=None)
@given(table=tables, room=st.integers(0, 120))
def test_no_choice_is_better(table: list[list[tuple[int, float]]], room: int) -> None:
    options = {str(i): [Option(f"t{j}", *one) for j, one in enumerate(several)] for i, several in enumerate(table)}
    limit = cheapest(options) + room
    found = best_choice(options, limit)
    assert list(found) == list(options) and sum(option.bytes for option in found.values()) <= limit
    possible = (c for c in itertools.product(*options.values()) if sum(o.bytes for o in c) <= limit)
    best = min(sum(o.damage for o in choice) for choice in possible)
    assert sum(option.damage for option in found.values()) == pytest.approx(best)
    with pytest.raises(ValueError, match="too small"):
        best_choice(options, cheapest(options) - 1)


def test_large_sizes_lose_little() -> None:
    """Sizes in whole places of the budget: within a thousandth of what single bytes would allow."""
    rng = np.random.default_rng(0)
    options = {
        str(i): [
            Option(str(bits), int(1e6 * bits * (1 + i % 5)), float(rng.uniform(1, 3)) * 4.0**-bits) for bits in (2, 3, 4, 6, 8)
        ]
        for i in range(100)
    }
    limit = int(4.5e6 * 300)
    found = best_choice(options, limit)
    used = sum(option.bytes for option in found.values())
    assert 0.998 * limit < used <= limit
    sizes = {name: {o.type: o for o in several} for name, several in options.items()}
    flat = sum(sizes[name]["4"].damage for name in options)
    assert sum(option.damage for option in found.values()) < flat


def test_damage_of_other_types_follows_from_two() -> None:
    sizes = {"Q3_K": 3, "Q4_K": 4, "Q6_K": 6, "Q8_0": 8}
    one = Damage("w", sizes, {"Q3_K": 0.02, "Q4_K": 0.005, "Q6_K": 0.001, "Q8_0": 0.0}, {"Q4_K": 6e-3, "Q6_K": 2e-3})
    assert [o.damage for o in one.options()] == pytest.approx([0.021, 6e-3, 2e-3, 1e-3])
    odd = Damage("w", sizes, {"Q3_K": 0.02, "Q4_K": 0.005, "Q6_K": 0.001, "Q8_0": 0.0}, {"Q4_K": 1e-3, "Q6_K": 2e-3})
    assert min(o.damage for o in odd.options()) >= 0  # noise: a finer type that seems worse


@pytest.mark.slow
def test_a_matrix_is_measured_and_put_back(nano_bf16: Path) -> None:
    engine = open_unquantized(nano_bf16, EngineSettings(device="cpu"))
    texts = ("<MoleculeS>CC(=O)Oc1ccccc1C(=O)O<MoleculeE>", "<ProteinS>MKTAYIAKQRQISFVKSHFSRQ<ProteinE>")
    sequences = Sequences(tuple(engine.encode(text) for text in texts), "two texts")
    meter = Meter(engine, sequences, collect(engine, sequences))
    tensors = {tensor.name: tensor for tensor in engine.header.tensors}
    try:
        assert meter.divergence() == 0.0
        for name in ("blk.0.attn_v.weight", "token_embd.weight", "output.weight"):
            found = meter.measure(tensors[name])
            assert 0 < found.measured["Q6_K"] < found.measured["Q4_K"] < 0.1
            errors = [found.error[kind] for kind in ("Q2_K", "Q3_K", "IQ4_XS", "Q4_K", "Q5_K", "Q6_K", "Q8_0")]
            assert errors == sorted(errors, reverse=True) and found.bytes["Q8_0"] == tensors[name].elements // 32 * 34
            assert meter.divergence() == 0.0, "the weights are back, bit for bit"
        # The pointer shows what the file holds; a replaced matrix is read by the kernels of its new type.
        weight = meter.weights["output.weight"]
        raw = read_bytes(weight)
        with nano_bf16.open("rb") as stream:
            stream.seek(engine.header.data_start + tensors["output.weight"].offset)
            assert stream.read(raw.nbytes) == raw.tobytes()
        replace(weight, int(GGMLQuantizationType.Q8_0), np.zeros(tensors["output.weight"].elements // 32 * 34, np.uint8))
        assert not meter.context.prefill(0, sequences.ids[0])[0].any(), "a head of zeros gives zeros"
    finally:
        meter.close()
        engine.close()


def test_a_sample_is_whole_texts_within_its_tokens() -> None:
    texts = Sequences(tuple(tuple(range(n)) for n in range(1, 200)), "")
    found = sample(texts, 768)
    assert 900 < found.tokens <= 1024 and set(found.ids) <= set(texts.ids) and found == sample(texts, 768)
    assert sample(texts, 2**20).tokens <= 128
    assert sample(Sequences((tuple(range(5000)),), ""), 768).tokens == 1024


@pytest.mark.slow
def test_the_command(
    logos_here: Callable[..., Run], nano_bf16: Path, nano_int4: Path, tiny_gguf: Callable[[str], Path], tmp_path: Path
) -> None:
    rows = tmp_path / "rows.smi"
    rows.write_text("CC(=O)Oc1ccccc1C(=O)O\nCN1CCC[C@H]1c1cccnc1\nCCOC(=O)c1ccc(N)cc1\n")
    out, size = tmp_path / "m.gguf", nano_int4.stat().st_size
    done = logos_here("quantize", "nano", "-o", out, "--budget", f"{size}B", "--calibrate", rows, "--json")
    assert done.code == 0 and 0.98 * size < out.stat().st_size <= size, done.err
    document = json.loads(done.out)
    header = read_header(out)
    kinds = {tensor.name: tensor.type.lower() for tensor in header.tensors}
    assert document["scheme"] == header.scheme == "mixed" and {m["name"]: m["type"] for m in document["matrices"]} == {
        name: kind for name, kind in kinds.items() if name in {m["name"] for m in document["matrices"]}
    }
    assert len(document["matrices"]) == 51 and all(
        sum(t["measured"] for t in m["types"].values()) == 2 for m in document["matrices"]
    )
    assert "damage as chosen" in done.err and not list(tmp_path.glob("*.partial"))
    answers = logos_here("generate", "molecule", "-m", out, "-n", "2")
    assert answers.code == 0 and len(answers.lines) == 2
    bits = logos_here("quantize", tiny_gguf("bf16"), "-o", tmp_path / "b.gguf", "--budget", "4", "--calibrate", rows)
    assert bits.code == 0 and 3.8 < read_header(tmp_path / "b.gguf").bits_per_weight <= 4.0
    for arguments, code, said in (
        (("--budget", "2"), 2, "the least for this model is 2."),
        (("--budget", "4.5", "--type", "int4"), 2, "leave out --type"),
        (("--budget", "many"), 2, "give bits a weight"),
        (("--budget", "4.5", "--calibrate", tmp_path / "no.smi"), 1, "no.smi: No such file"),
    ):
        failed = logos_here("quantize", nano_bf16, "-o", tmp_path / "f.gguf", *arguments)
        assert failed.code == code and said in failed.err, failed.err
        assert not list(tmp_path.glob("f.gguf*"))


@pytest.mark.slow
def test_rows_that_do_not_divide(tmp_path: Path, logos_here: Callable[..., Run]) -> None:
    """An FFN of 320: its down projections get block-32 types."""
    source = convert(write_checkpoint(tmp_path / "c", build_tokenizer(), intermediate_size=320), tmp_path / "m.gguf", "bf16")
    rows = tmp_path / "rows.smi"
    rows.write_text("CCO\nCC(=O)O\n")
    done = logos_here("quantize", source, "-o", tmp_path / "q.gguf", "--budget", "5", "--calibrate", rows)
    assert done.code == 0, done.err
    kinds = {t.type for t in read_header(tmp_path / "q.gguf").tensors if t.name.endswith("ffn_down.weight")}
    assert kinds <= {"IQ4_NL", "Q5_0", "Q8_0"} and smallest(read_header(source)) < free_bytes(Budget(5.0), read_header(source))


@pytest.mark.slow
def test_interrupted_and_resumed(tiny_gguf: Callable[[str], Path], tmp_path: Path, logos: Callable[..., Run]) -> None:
    """Ctrl-C in the middle of measuring; the same file as of a run left alone, also for another budget."""
    rows = tmp_path / "rows.smi"
    rows.write_text("".join(f"CC(=O)Oc1ccccc1C(=O)NCC{'C' * n}\n" for n in range(30)))
    model, out, partial = tiny_gguf("bf16"), tmp_path / "m.gguf", tmp_path / "m.gguf.partial"
    asked = ["quantize", str(model), "-o", str(out), "--calibrate", str(rows), "--budget"]
    with running(*asked, "5", stderr=subprocess.PIPE) as child:
        wait_until(lambda: lines_in(partial) >= 4, child)
        child.send_signal(signal.SIGINT)
        _, said = child.communicate(timeout=AT_ONCE)
    assert child.returncode == 130 and said.endswith("interrupted\n") and partial.exists() and not out.exists()
    assert logos(*asked, "4.5").code == 1  # not without being asked to
    assert logos(*asked, "4.5", "--resume").code == 0
    whole = tmp_path / "whole.gguf"
    assert logos("quantize", model, "-o", whole, "--calibrate", rows, "--budget", "4.5").code == 0
    assert read_header(out).fingerprint == read_header(whole).fingerprint
    assert out.read_bytes() == whole.read_bytes() and sorted(p.name for p in tmp_path.iterdir()) == [
        "m.gguf",
        "m.gguf.run",
        "rows.smi",
        "whole.gguf",
        "whole.gguf.run",
    ]
    assert "is complete" in logos(*asked, "4.5", "--resume").err
