"""Log-likelihoods of given sequences: the same numbers `generate` gives, per token and summed, of every modality."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from builders import Run, convert

import logos_cli.nano
from logos_cli.chemistry.mutants import Mutations
from logos_cli.engines.engine import Engine
from logos_cli.engines.sampling import Sampling
from logos_cli.pipeline.generate_records import GenerationPlan, generate_records
from logos_cli.pipeline.score_records import ScorePlan, score_records
from logos_cli.records.score_record import ScoreRecord
from logos_cli.rows.from_json import json_rows
from logos_cli.rows.read_rows import read_rows
from logos_cli.rows.row import Reading, Row
from logos_cli.system.lines import Blank
from logos_cli.tasks.table import TASKS

EXAMPLES = Path(__file__).parents[2] / "examples"
VH = next(iter(read_rows(str(EXAMPLES / "antibody.fasta"), Reading(wants="sequence"))))


@pytest.fixture
def engine(nano_bf16: Path, open_model: Any) -> Engine:
    return open_model(nano_bf16)  # type: ignore[no-any-return]


def scores(engine: Engine, rows: list[Row], **plan: Any) -> list[ScoreRecord]:
    return list(score_records(rows, ScorePlan(**{"task": None, **plan}), engine))


@pytest.fixture(scope="module")
def nano_f32(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return convert(Path(logos_cli.nano.__file__).parent, tmp_path_factory.mktemp("f32") / "nano.gguf", "f32")


@pytest.mark.slow
@pytest.mark.parametrize("task", ["molecule", "retro", "antibody", "material"])
def test_a_generated_answer_scores_as_when_it_was_written(nano_f32: Path, open_model: Any, task: str) -> None:
    """At f32, where a prompt read in one go and tokens written one by one agree within 1e-3 (1e-3 a token at f16)."""
    engine: Engine = open_model(nano_f32)
    compared = 0
    chosen = TASKS[task]
    asked = Row(0, "1", value="CC(=O)Nc1ccc(O)cc1" if task == "retro" else "")
    plan = GenerationPlan(chosen, Sampling(max_tokens=200, seed=3), 4)
    for record in generate_records([asked], plan, engine):
        if record.finish == "stop":
            text = chosen.prompt(asked).text
            prompt = engine.encode(text)
            written = engine.encode(text + (record.text or ""))[len(prompt) :]
            again = engine.score(prompt, [*written, *([] if chosen.stops else [engine.end])])
            if len(again) == record.tokens:  # drawn tokens need not be the tokenizer's own
                assert float(again.sum()) == pytest.approx(record.logprob, abs=2e-3)
                compared += 1
    assert compared


def test_every_modality_by_its_content(engine: Engine) -> None:
    lines = [
        '{"smiles": "CCO"}', '{"product": "CCN", "reactants": ["CC", "N"]}', '{"sequence": "MKTAYIAKQR"}',
        '{"sequence": "MKTAYIAKQR", "pocket": [2, 5]}', '{"sequence": "MKTAYIAKQR", "pocket": [2], "ligand": "CCO"}',
        '{"metal": "[Zn]", "linkers": ["CCO"]}', '{"text": "<AntibodyS>EVQ<AntibodyE>"}',
    ]  # fmt: skip
    found = scores(engine, list(json_rows("-", iter(enumerate(lines, 1)), Blank(), Reading("any"))))
    assert [one.task for one in found] == ["molecule", "retro", "protein", "pocket", "ligand", "material", "raw"]
    for one in found:
        assert one.error is None and one.logprob is not None and one.logprob < 0 and one.tokens
        assert one.to_dict()["perplexity"] == pytest.approx(math.exp(-one.logprob / one.tokens), rel=1e-3)


def test_a_score_is_the_sum_of_its_tokens(engine: Engine) -> None:
    (record,) = scores(engine, [Row(0, "1", value="CC(=O)Oc1ccccc1C(=O)O")], each=True)
    assert record.each is not None and record.logprob == pytest.approx(sum(value for _, value in record.each), abs=1e-5)
    assert "".join(text for text, _ in record.each) == f"{record.input}<MoleculeE>" == "CC(=O)Oc1ccccc1C(=O)O<MoleculeE>"
    prompt, whole = engine.encode("<MoleculeS>"), engine.encode("<MoleculeS>CC(=O)Oc1ccccc1C(=O)O<MoleculeE>")
    logits = engine.logits(whole).astype(np.float64)
    logits -= np.log(np.exp(logits - logits.max(1, keepdims=True)).sum(1, keepdims=True)) + logits.max(1, keepdims=True)
    expected = sum(logits[i - 1, whole[i]] for i in range(len(prompt), len(whole)))
    assert record.logprob == pytest.approx(expected, abs=0.02)


@pytest.mark.slow
def test_a_score_does_not_depend_on_its_neighbours(engine: Engine) -> None:
    rows = [Row(i, str(i), value="C" * (i + 1)) for i in range(12)] + [VH]
    together = scores(engine, rows)
    assert [one.logprob for one in together] == [scores(engine, [row])[0].logprob for row in rows]
    assert [one.logprob for one in reversed(scores(engine, rows[::-1]))] == [one.logprob for one in together]


@pytest.mark.slow
def test_mutants_against_their_wild_type(engine: Engine) -> None:
    found = scores(engine, [VH], task=TASKS["antibody"], mutations=Mutations.parse("A24V,E1Q+V2I,99,A99G"))
    wild, *mutants = found
    assert wild.mutant is None and wild.delta is None and len(mutants) == 2 + 19 + 1
    good = [one for one in mutants if one.error is None]
    for one in good:
        assert one.delta is not None and one.logprob is not None and wild.logprob is not None
        assert one.delta == one.logprob - wild.logprob and one.tokens == wild.tokens
    assert sorted(one.rank or 0 for one in good) == list(range(1, 22))
    assert min(good, key=lambda one: one.rank or 0).delta == max(one.delta or -math.inf for one in good)
    assert mutants[-1].mutant == "A99G" and "residue 99 is W, not A" in (mutants[-1].error or "")
    (alone,) = scores(engine, [Row(0, "x", value="Q" + "I" + str(VH.value)[2:], kind="sequence")], task=TASKS["antibody"])
    assert alone.logprob == mutants[1].logprob, "a mutant scores as the same sequence given by itself"


@pytest.mark.slow
def test_mutants_of_a_structure_in_its_own_numbers(engine: Engine) -> None:
    (trypsin,) = read_rows(str(EXAMPLES / "1gbt.cif.gz"), Reading(wants="sequence"))
    wild, mutant, place, bad = scores(engine, [trypsin], mutations=Mutations.parse("S195A,S@177G,D177A"))
    assert wild.site and wild.site["chain"] == "A" and wild.site["numbers"].startswith("A:16-34 ")
    assert mutant.site and (mutant.site["places"], mutant.site["residues"]) == ([177], ["A:195"])
    assert mutant.mutant == "S195A" and place.mutant == "S195G" and bad.error and "not D" in bad.error
    changed = str(trypsin.value)[:176] + "A" + str(trypsin.value)[177:]
    (alone,) = scores(engine, [Row(0, "x", value=changed, kind="sequence")], task=TASKS["protein"])
    assert alone.logprob == mutant.logprob
    (again,) = json_rows("-", iter([(1, json.dumps(mutant.to_dict()))]), Blank(), Reading("any"))
    (rescored,) = scores(engine, [again])
    assert rescored.logprob == mutant.logprob


def test_rows_that_cannot_be_scored(engine: Engine) -> None:
    rows = [
        Row(0, "a", value="nonsense"), Row(1, "b", error="broken"), Row(2, "c", value="MKX", kind="sequence"),
        Row(3, "d", value="M" * 2000, kind="sequence"), Row(4, "e", value="CCO"),
    ]  # fmt: skip
    errors = [one.error or "" for one in scores(engine, rows)]
    reasons = ["not a valid SMILES", "broken", "'X' at residue 3", "the model's context is 1,024"]
    assert all(reason in error for error, reason in zip(errors, reasons, strict=False)) and errors[-1] == ""
    (record,) = scores(engine, [Row(0, "a", value="CCO")], mutations=Mutations.parse("1"))
    assert "this row is scored as molecule" in (record.error or "")
    (record,) = scores(engine, [Row(0, "a", value="CCO")], task=TASKS["retro"])
    assert "no answer to score" in (record.error or "")


@pytest.mark.slow
def test_the_command(logos_here: Callable[..., Run], tmp_path: Path) -> None:
    text = "CCO ethanol\nnonsense bad\n\nCC>>CCO reaction\n"
    found = logos_here("score", "-", "-m", "nano", stdin=text)
    assert found.code == 0 and [r["id"] for r in found.lines] == ["ethanol", "bad", "reaction"]
    assert [r["task"] for r in found.lines] == ["molecule", "molecule", "retro"]
    assert "2 sequences scored; 1 could not be (see error); 1 blank line skipped" in found.err
    assert logos_here("score", "-", "-m", "nano", "--strict", stdin=text).code == 1
    out = tmp_path / "scores.csv"
    options = ("--mutants", "3", "--task", "antibody", "--format", "csv", "-o", out)
    done = logos_here("score", EXAMPLES / "antibody.fasta", "-m", "nano", *options)
    rows = list(csv.DictReader(io.StringIO(out.read_text())))
    assert done.code == 0 and done.out == "" and len(rows) == 2 * 20 and rows[1]["mutant"] == "Q3A" and float(rows[1]["delta"])
    assert json.loads(logos_here("score", EXAMPLES / "mofs.jsonl", "-m", "nano", "--limit", 1).out)["task"] == "material"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("options", "code", "reason"),
    [
        (("--mutants", "A2"), 2, "--mutants A2"), (("--mutants", "A2V", "--task", "retro"), 2, "protein or antibody"),
        (("--task", "nothing"), 2, "no task"), (("-o", "/nowhere/x.jsonl"), 1, "/nowhere"),
    ],
)  # fmt: skip
def test_what_does_not_fit_together(logos_here: Callable[..., Run], options: tuple[str, ...], code: int, reason: str) -> None:
    found = logos_here("score", EXAMPLES / "antibody.fasta", "-m", "nano", *options)
    assert found.code == code and reason in found.err and found.out == "" and found.err.count("\n") == 1
