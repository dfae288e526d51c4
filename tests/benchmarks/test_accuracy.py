"""`logos bench accuracy`: a model against itself, against a smaller one, against another vocabulary; interrupted; misused."""

from __future__ import annotations

import json
import math
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from builders import Run, build_tokenizer, convert, write_checkpoint
from processes import lines_in, running, wait_until
from schemas import check_schema

from logos_cli.benchmarks.accuracy.token_level import TextFigures, TokenMap, percentiles, read_text, summarize
from logos_cli.benchmarks.metrics.intervals import Resamples
from logos_cli.chemistry.grammar import MARKERS
from logos_cli.engines.divergence import compare
from logos_cli.pipeline.own_texts import NamedText
from logos_cli.tasks.modalities import modality_of
from logos_cli.tasks.table import TASKS

SMALL = ("--texts", "4", "-n", "4", "--max-tokens", "48")


def figures(found: TextFigures | str) -> TextFigures:
    assert isinstance(found, TextFigures), found
    return found


def test_a_model_against_itself(open_model: Any, nano_bf16: Path) -> None:
    baseline, model = open_model(nano_bf16), open_model(nano_bf16)
    text = NamedText("a", "molecule", "<MoleculeS>CC(=O)Oc1ccccc1C(=O)O<MoleculeE>")
    (found,) = read_text(text, baseline, [TokenMap(baseline, model)])
    one = figures(found)
    assert max(one.kl) < 1e-9 and one.same == len(one.kl) and one.delta_p == 0
    assert summarize([one]).ppl_ratio.value == 1


@pytest.mark.slow
def test_pieces_change_nothing(open_model: Any, nano_bf16: Path, nano_int4: Path) -> None:
    """A text of many pieces gives what its whole logits give at once."""
    baseline, model = open_model(nano_bf16), open_model(nano_int4)
    text = NamedText("long", "protein", "<ProteinS>" + "MKTAYIAKQRQISFVKSHFSRQ" * 12 + "<ProteinE>")
    ids = np.array(baseline.encode(text.text))
    (found,) = read_text(text, baseline, [TokenMap(baseline, model)])
    whole = compare(baseline.logits(ids.tolist())[:-1], model.logits(ids.tolist())[:-1], ids[1:], ids[1:])
    one = figures(found)
    assert one.kl == pytest.approx(whole.kl.tolist(), rel=1e-4, abs=1e-7) and one.same == whole.same.sum()
    assert one.baseline_logprob == pytest.approx(whole.baseline_logprob.sum(), rel=1e-6)
    # And the perplexity is that of `score`, which reads other blocks and so rounds otherwise: at int4 by 1e-4 a token.
    for engine, found_here in ((baseline, one.baseline_logprob), (model, one.model_logprob)):
        scored = float(engine.score(ids[:1].tolist(), ids[1:].tolist()).sum())
        assert found_here == pytest.approx(scored, abs=1e-3 * len(ids))


def test_percentiles_are_numpys() -> None:
    rng = np.random.default_rng(0)
    values, counts = rng.exponential(size=1000), np.full(50, 20.0)
    found = percentiles(values, counts, Resamples(50))
    for name, q in (("median", 50), ("p90", 90), ("p99", 99), ("p99_9", 99.9), ("max", 100)):
        assert found[name].value == pytest.approx(np.percentile(values, q))
    # The median of 1,000 exponentials: ln 2 with a standard error of 1 / sqrt(1000).
    low, high = found["median"].low, found["median"].high
    assert high - low == pytest.approx(2 * 1.96 / math.sqrt(1000), rel=0.3)
    assert found["max"].ends is None and found["p99_9"].ends is None


@pytest.mark.slow
def test_another_vocabulary(open_model: Any, tmp_path: Path, tiny_gguf: Callable[[str], Path]) -> None:
    """A baseline with one marker more and other ids: what both have is compared, what the model lacks is said."""
    more = build_tokenizer(markers=("<More>", *MARKERS))
    baseline = open_model(convert(write_checkpoint(tmp_path / "c", more), tmp_path / "o.gguf", "f32"))
    pair = TokenMap(baseline, open_model(tiny_gguf("f32")))
    texts = (NamedText("a", "molecule", "<MoleculeS>CCO<MoleculeE>"), NamedText("b", "text", "<More>C"))
    found, lacking = (read_text(text, baseline, [pair])[0] for text in texts)
    assert (figures(found).outside or 0) > 0 and min(figures(found).kl) >= 0
    assert isinstance(lacking, str) and "no token '<More>'" in lacking
    outside = summarize([figures(found)]).mass_outside
    assert outside and outside.value > 0


@pytest.mark.slow
def test_texts_that_cannot_be_read(open_model: Any, tiny_gguf: Callable[[str], Path]) -> None:
    engine = open_model(tiny_gguf("bf16"))
    pair = TokenMap(engine, engine)
    (long,) = read_text(NamedText("a", "protein", "<ProteinS>" + "WCHM" * 2000), engine, [pair])
    (empty,) = read_text(NamedText("b", "text", ""), engine, [pair])
    assert isinstance(long, str) and "the context is 1,024" in long and isinstance(empty, str)


@pytest.mark.parametrize(
    "text, modality",
    [
        ("<MoleculeS>C<MoleculeE>", "molecule"), ("<MoleculeS>C<MoleculeE><ReverseReact>", "reaction"),
        ("<AntibodyS>QVQ", "antibody"),
        ("<ProteinS>MK<ProteinE>", "protein"), ("<ProteinS>M<PocketS>K<PocketE>", "pocket"), ("hello", "text"),
        ("<ProteinS>M<ProteinE><MoleculeS>C", "complex"), ("<MaterialS><MetalS>[Zn]<MetalE><MoleculeS>C", "material"),
    ],
)  # fmt: skip
def test_modalities(text: str, modality: str) -> None:
    assert modality_of(text) == modality


@pytest.mark.slow
def test_the_baseline_writes_its_own_test(logos: Callable[..., Run], nano_bf16: Path, nano_int4: Path, tmp_path: Path) -> None:
    out = tmp_path / "loss.json"
    found = logos("bench", "accuracy", nano_bf16, nano_int4, "--baseline", nano_bf16, *SMALL, "-o", out)
    assert found.code == 0 and found.out == "" and "mean KLD" in found.err, found.err
    document = json.loads(out.read_text())
    check_schema(document)
    itself, smaller = document["models"]
    assert itself["kld"]["max"]["value"] < 1e-9 and itself["same_top1"]["value"] == 1
    assert all(task["against_baseline"]["same_text"]["value"] == 1 for task in itself["tasks"].values())
    assert 0 < smaller["kld"]["mean"]["value"] < 0.2 and smaller["n_tokens"] == itself["n_tokens"] > 100
    assert {"molecule", "reaction"} <= set(smaller["modalities"]) and set(smaller["tasks"]) == {"molecule", "retro"}
    n = sum(one["n_tokens"] for one in smaller["modalities"].values())
    page = logos("bench", "report", out, "-o", tmp_path / "r.html")
    assert page.code == 0, page.err
    assert n == smaller["n_tokens"] and smaller["tasks"]["retro"]["round_trip"]["n"] == smaller["tasks"]["retro"]["rows"]


@pytest.mark.slow
def test_on_the_users_rows(logos: Callable[..., Run], nano_bf16: Path, nano_int4: Path, tmp_path: Path) -> None:
    """Reactions with their right answers, one row that cannot be used, and a file of known molecules."""
    rows = tmp_path / "rows.jsonl"
    amide, ester = ("CC(=O)Nc1ccccc1", ["CC(=O)O", "Nc1ccccc1"]), ("CCOC(C)=O", ["CC(=O)O", "CCO"])
    reactions = [amide, ester, ("CNC(C)=O", ["CN", "CC(=O)Cl"])]
    rows.write_text("".join(json.dumps({"product": p, "reactants": r}) + "\n" for p, r in reactions) + '{"product": "C1"}\n')
    known = tmp_path / "known.smi"
    known.write_text("CCO\nCC(=O)O\n")
    found = logos(
        "bench",
        "accuracy",
        nano_int4,
        "--baseline",
        nano_bf16,
        "--task",
        "retro",
        "--data",
        rows,
        "-n",
        "4",
        "--novel-against",
        known,
    )
    assert found.code == 0 and "1 left out, first: row 4: not a valid SMILES" in found.err, found.err
    document = json.loads(found.out)
    check_schema(document)
    task = document["models"][0]["tasks"]["retro"]
    assert task["rows_with_truth"] == 3 and set(task["top"]) == {"1", "3", "5", "10"} and "novelty" not in task
    # The text is prompt and right answer.
    assert document["models"][0]["n_texts"] == 3 and document["models"][0]["modalities"].keys() == {"reaction"}
    assert sum(task["against_baseline"]["top"]["1"]["flips"][k] for k in ("both", "lost", "gained", "neither")) == 3


EXAMPLES = Path(__file__).parents[2] / "examples"
STRUCTURE = EXAMPLES / "4cup.cif.gz"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("task", "name", "options"),
    [
        ("pocket", "p.fasta", ()), ("pocket", STRUCTURE, ()), ("ligand", STRUCTURE, ("--pocket-from", "ZYB")),
        ("protein", "p.csv", ()), ("antibody", EXAMPLES / "antibody.fasta", ()), ("material", EXAMPLES / "mofs.jsonl", ()),
    ],
)  # fmt: skip
def test_rows_are_read_as_the_task_takes_them(
    logos_here: Callable[..., Run], nano_bf16: Path, nano_int4: Path, tmp_path: Path, task: str, name: Any, options: Any
) -> None:
    """FASTA, tables of sequences and structures are no SMILES."""
    (tmp_path / "p.fasta").write_text(">a\nMKTAYIAKQR\n>b\nGSHMKTAYIAKQRQISFV\n")
    (tmp_path / "p.csv").write_text("id,sequence\na,MKTAYIAKQR\nb,GSHMKTAYIAKQRQISFV\n")
    data = tmp_path / name
    few = ("-n", 2, "--limit", 2, "--threads", 1)
    found = logos_here("bench", "accuracy", nano_int4, "--baseline", nano_bf16, "--task", task, "--data", data, *options, *few)
    assert found.code == 0, found.err
    document = json.loads(found.out)
    check_schema(document)
    model = document["models"][0]
    figures, texts = model["tasks"][task], 1 if name == STRUCTURE else 2
    assert model["n_texts"] == texts and document["left_out"] == []
    # What samples from nothing does so beside texts of whole sequences, too.
    assert figures["rows"] == (texts if TASKS[task].needs_input else 1) and figures["answers"] == 2 * figures["rows"]


@pytest.mark.slow
def test_right_answers_that_are_no_molecules(logos_here: Callable[..., Run], nano_bf16: Path, tmp_path: Path) -> None:
    """A binding site and a native sequence come with their rows; what they are worth is no top-k. A site that is not in its
    protein is said, and so is a row that no answer is long enough for."""
    sites = tmp_path / "sites.jsonl"
    sites.write_text(
        '{"sequence": "MKTAYIAKQR", "pocket": [2, 5]}\n'
        '{"sequence": "MKTAYIAKQRQISFVK", "groundtruth": "MK<PocketS>T<PocketE>AYIAKQRQISFVK<ProteinE>"}\n'
        '{"sequence": "MKTAYIAKQR", "groundtruth": "A:99"}\n' + json.dumps({"sequence": "MKTAYIAKQR" * 30}) + "\n"
    )
    asked = ("bench", "accuracy", nano_bf16, "--baseline", nano_bf16, "-n", 2)
    document = json.loads(logos_here(*asked, "--task", "pocket", "--data", sites).out)
    figures = document["models"][0]["tasks"]["pocket"]
    assert figures["rows"] == 4 and figures["rows_with_truth"] == 2 and figures["rows_without_answer"] == 1
    assert 0 <= figures["residue_precision"]["value"] <= 1 and "top" not in {**figures, **figures["against_baseline"]}
    truth, cut = sorted(document["left_out"])
    assert truth.startswith("row 3: its right answer is not valid") and "A:99" in truth
    assert cut.startswith("row 4: ") and "give --max-tokens" in cut


@pytest.mark.slow
def test_any_language_model_on_plain_text(logos: Callable[..., Run], tiny_gguf: Callable[[str], Path], tmp_path: Path) -> None:
    data = tmp_path / "t.jsonl"
    data.write_text('{"id": "a", "text": "The quick brown fox"}\n{"id": "b", "text": "jumps over the dog"}\n')
    found = logos("bench", "accuracy", tiny_gguf("bf16"), "--baseline", tiny_gguf("f32"), "--task", "raw", "--data", data)
    document = json.loads(found.out)
    assert document["models"][0]["n_texts"] == 2 and document["models"][0]["tasks"] == {}
    assert 0 < document["models"][0]["kld"]["mean"]["value"] < 1e-2


@pytest.mark.slow
def test_killed_and_resumed(nano_bf16: Path, nano_int4: Path, tmp_path: Path, logos: Callable[..., Run]) -> None:
    """The same document as of a run left alone, but for the date."""
    asked = ["bench", "accuracy", str(nano_int4), "--baseline", str(nano_bf16), *SMALL]
    whole = json.loads(logos(*asked).out)
    out = tmp_path / "loss.json"
    partial = tmp_path / "loss.json.partial"
    with running(*asked, "-o", out, stderr=subprocess.DEVNULL) as child:
        wait_until(lambda: lines_in(partial) >= 20, child)
        child.kill()
    kept = partial.read_bytes().count(b"\n")
    assert kept >= 20 and not out.exists()
    assert logos(*asked, "-o", out).code == 1  # not without being asked to
    changed = logos(*asked, "--seed", "1", "-o", out, "--resume")
    assert changed.code == 1 and "seed was 0, is 1" in changed.err
    text = partial.read_text()
    assert logos(*asked, "-o", out, "--resume").code == 0
    found = json.loads(out.read_text())
    assert {**found, "date": ""} == {**whole, "date": ""} and not partial.exists()
    # And what the journal holds is taken, not measured again.
    out.unlink()
    lines = text.splitlines(keepends=True)
    first = next(i for i, line in enumerate(lines) if line.startswith('{"key": ["tokens", 0]'))
    planted = json.loads(lines[first])
    planted["value"][0]["kl"][0] = 77.0
    partial.write_text("".join([*lines[:first], json.dumps(planted) + "\n", *lines[first + 1 :]]))
    assert logos(*asked, "-o", out, "--resume").code == 0
    assert json.loads(out.read_text())["models"][0]["kld"]["max"]["value"] == 77.0
    done = logos(*asked, "-o", out, "--resume")
    assert done.code == 0 and "is complete" in done.err


@pytest.mark.slow
def test_misuse(logos: Callable[..., Run], nano_bf16: Path, tmp_path: Path) -> None:
    damaged = tmp_path / "d.gguf"
    damaged.write_bytes(nano_bf16.read_bytes()[:5000])
    silent = tmp_path / "s.gguf"
    silent.write_bytes(nano_bf16.read_bytes().replace(b"<ReverseReact>", b"<ReverseSleep>"))
    empty = tmp_path / "e.smi"
    empty.write_text("")
    for arguments, code, said in (
        (("nano", "--baseline", "nano", "--data", "x.smi"), 2, "--data needs --task"),
        (("nano", "--baseline", tmp_path / "no.gguf"), 1, "no.gguf: No such file"),
        ((damaged, "--baseline", "nano"), 1, "d.gguf"),
        (("nano", "--baseline", "nano", "--task", "retro", "--data", tmp_path / "x.smi"), 1, "x.smi: No such file"),
        (("nano", "--baseline", "nano", "--task", "retro", "--data", empty), 1, "no rows"),
        (("nano", "--baseline", "nano", "--task", "sing"), 2, "no task 'sing'"),
        (("nano", "--baseline", "nano", "-o", tmp_path), 1, "is a folder"),
        (("nano", "--baseline", damaged, "-o", damaged), 2, "d.gguf is an input"),
        (("nano", "--baseline", "nano", "--resume"), 2, "--resume needs -o"),
        (("nano", "--baseline", silent, "--task", "retro"), 1, "marker <ReverseReact> is"),
    ):
        found = logos("bench", "accuracy", *arguments)
        assert found.code == code and said in found.err.splitlines()[-1], found.err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["d.gguf", "e.smi", "s.gguf"]
