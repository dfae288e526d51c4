"""The public face: its names, and that its answers are those of the command line."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from builders import Run

import logos_cli
from logos_cli import errors

DRUGS = ["CC(=O)Nc1ccc(O)cc1", "CC(=O)Oc1ccccc1C(=O)O", "xx"]


def test_what_is_public_is_listed() -> None:
    assert set(logos_cli.__all__) == set(dir(logos_cli)) == {*logos_cli._PUBLIC, "__version__"}
    for name in logos_cli.__all__:
        assert getattr(logos_cli, name) is not None
    every = {name for name, found in vars(errors).items() if isinstance(found, type) and found.__module__ == errors.__name__}
    assert every <= set(logos_cli.__all__)
    with pytest.raises(AttributeError, match="no attribute 'chemistry_set'"):
        logos_cli.chemistry_set  # noqa: B018


def test_importing_it_loads_nothing_heavy() -> None:
    code = "import sys, logos_cli; print([m for m in ('numpy', 'rdkit', 'llama_cpp', 'rich', 'typer') if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


@pytest.fixture
def model(nano_bf16: Path) -> Iterator[logos_cli.Model]:
    with logos_cli.open_model(nano_bf16, device="cpu") as opened:
        yield opened


@pytest.mark.slow
def test_answers_are_those_of_the_command(
    model: logos_cli.Model, nano_bf16: Path, logos_here: Callable[..., Run], tmp_path: Path
) -> None:
    path = tmp_path / "drugs.smi"
    path.write_text("\n".join(DRUGS) + "\n")
    cases: list[tuple[list[str], dict[str, Any]]] = [
        (["--top", "2", "-n", "6"], {"top": 2, "n": 6}),
        (["-n", "3", "--seed", "5"], {"n": 3, "seed": 5}),
    ]
    for more, options in cases:
        told = logos_here("generate", "retro", path, "-m", nano_bf16, *more).lines
        of_file = [record.to_dict() for record in logos_cli.generate("retro", path, model=model, **options)]
        of_list = [record.to_dict() for record in logos_cli.generate("retro", DRUGS, model=model, **options)]
        assert of_file == told and of_list == told
    told = logos_here("score", path, "-m", nano_bf16, "--task", "molecule").lines
    assert [record.to_dict() for record in logos_cli.score(path, model=model, task="molecule")] == told


@pytest.mark.slow
def test_rows_of_every_kind(model: logos_cli.Model) -> None:
    mapping = {"id": "amide", "reactants": ["CC(=O)Cl", "Nc1ccccc1"], "product": "CC(=O)Nc1ccccc1"}
    rows: list[Any] = [mapping, ["CC(=O)Cl", "Nc1ccccc1"], "CC(=O)Cl.Nc1ccccc1", logos_cli.Row(7, "own", "CC(=O)Cl.Nc1ccccc1")]
    records = list(logos_cli.generate("react", rows, model=model))
    assert [(record.row, record.id) for record in records] == [(0, "amide"), (1, "2"), (2, "3"), (3, "own")]
    assert {record.input for record in records[1:]} == {"CC(=O)Cl.Nc1ccccc1"}
    (record,) = logos_cli.generate("pocket", ["MKTAYIAKQR"], model=model, max_tokens=20)
    assert record.input == "MKTAYIAKQR" and record.task == "pocket"
    assert len(list(logos_cli.generate("molecule", n=4, model=model))) == 4
    (scored,) = logos_cli.score([{"sequence": "MKTAYIAKQR"}], model=model)
    assert scored.task == "protein" and scored.logprob is not None and scored.logprob < 0


@pytest.mark.slow
def test_rows_stream(model: logos_cli.Model) -> None:
    """An endless iterator is read as answers are taken."""
    taken = 0

    def endless() -> Iterator[str]:
        nonlocal taken
        while True:
            taken += 1
            yield DRUGS[0]

    answers = logos_cli.generate("retro", endless(), model=model)
    assert [next(answers).row for _ in range(5)] == [0, 1, 2, 3, 4]
    answers.close()  # type: ignore[attr-defined]
    assert taken < 5000
    assert next(iter(logos_cli.generate("retro", DRUGS[:1], model=model))).row == 0, "the model is free again"


@pytest.mark.slow
def test_one_iterator_at_a_time(model: logos_cli.Model, nano_bf16: Path) -> None:
    answers = logos_cli.generate("retro", DRUGS[:1] * 3, model=model)
    next(answers)
    with pytest.raises(logos_cli.UsageError, match="answering already"):
        next(logos_cli.score(DRUGS[:1], model=model))
    assert len(list(answers)) == 2
    closed = logos_cli.open_model(nano_bf16, device="cpu")
    closed.close()
    closed.close()
    with pytest.raises(logos_cli.UsageError, match="closed"):
        next(logos_cli.generate("retro", DRUGS[:1], model=closed))


@pytest.mark.parametrize(
    "arguments, told",
    [
        (("retro",), "needs rows"),
        (("retro", "no-such-file.smi"), "is no file"),
        (("retro", "CCO"), r"give a list: \['CCO'\]"),
        (("nonsense", ["CCO"]), "no task 'nonsense'"),
    ],
)
def test_what_does_not_fit_is_said_at_once(arguments: tuple[Any, ...], told: str) -> None:
    with pytest.raises(logos_cli.UsageError, match=told):
        logos_cli.generate(*arguments)


@pytest.mark.parametrize(
    "options", [{"n": 0}, {"beam": 8}, {"beam": 8, "top": 2, "n": 4}, {"beam": 2, "top": 4}, {"top_p": 7.0}]
)
def test_counts_that_do_not_fit(options: dict[str, Any]) -> None:
    with pytest.raises(logos_cli.UsageError):
        logos_cli.generate("retro", ["CCO"], **options)


def test_what_is_no_row() -> None:
    with pytest.raises(logos_cli.InputError, match="row 2 is of type int"):
        list(logos_cli.generate("retro", ["CCO", 7]))  # type: ignore[list-item]


@pytest.mark.slow
def test_convert_and_quantize(tmp_path: Path) -> None:
    made = logos_cli.convert_checkpoint("nano", tmp_path / "nano.gguf")
    assert (made.scheme, made.bytes) == ("bf16", (tmp_path / "nano.gguf").stat().st_size)
    smaller = logos_cli.quantize_model(made.out, tmp_path / "nano-int4.gguf", "int4")
    assert smaller is not None and smaller.report.bytes_after < smaller.report.bytes_before / 2
    assert json.loads(json.dumps(smaller.to_dict()))["out"] == str(tmp_path / "nano-int4.gguf")
    with pytest.raises(logos_cli.UsageError, match="no kind of model file"):
        logos_cli.convert_checkpoint("nano", tmp_path / "n.bin", to="bin")
