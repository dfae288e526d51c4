"""Records over HTTP are those of `logos generate`, whoever else asks at the same time."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from builders import Run
from served import Served

pytestmark = pytest.mark.slow

EXAMPLES = Path(__file__).parents[2] / "examples"
PRODUCTS = ["CC(=O)Oc1ccccc1C(=O)O", "not a SMILES", "CC(C)Cc1ccc(C(C)C(=O)O)cc1", "CC(=O)Nc1ccc(O)cc1"]
PROTEIN = (
    "MKTAYIAKQRQISFVKSHFSRQLEERLGLIEVQAPILSRVGDGTQDNLSGAEKAVQVKVKALPDAQFEVVHSLAKWKRQTLGQHDFSAGEGLYTHMKALRPDEDRLSPLHSVYVDQWDWE"
)
# Task, rows, options of a request, and the same as flags.
CASES: list[tuple[str, list[Any] | None, dict[str, Any], tuple[str, ...]]] = [
    ("retro", PRODUCTS, {"n": 3, "seed": 5}, ("-n", "3", "--seed", "5")),
    ("retro", PRODUCTS, {"top": 2}, ("--top", "2")),
    ("retro", PRODUCTS, {"top": 3, "decode": "beam", "beam_width": 8}, ("--top", "3", "--decode", "beam", "--beam-width", "8")),
    ("retro", PRODUCTS, {"n": 2, "temperature": 1.7, "top_k": 30, "repetition_penalty": 1.1, "valid_only": True},
     ("-n", "2", "--temperature", "1.7", "--top-k", "30", "--repetition-penalty", "1.1", "--valid-only")),
    ("react", [["CC(=O)Cl", "Nc1ccccc1"], "CCO.CC(=O)O", "CC(=O)O.OCC>>CC(=O)OCC"], {"n": 2}, ("-n", "2")),
    ("molecule", ["c1ccccc1", "CC(=O)N"], {"n": 4, "props": "mw,qed", "max_tokens": 30},
     ("-n", "4", "--props", "mw,qed", "--max-tokens", "30")),
    ("molecule", None, {"n": 5, "seed": 9}, ("-n", "5", "--seed", "9")),
    ("pocket", [PROTEIN], {"top": 1, "n": 6, "consensus": 0.3}, ("--top", "1", "-n", "6", "--consensus", "0.3")),
    ("raw", ["<MoleculeS>CC", "<ProteinS>MK"], {"n": 2, "max_tokens": 12}, ("-n", "2", "--max-tokens", "12")),
]  # fmt: skip


def generated(logos: Callable[..., Run], model: Path, task: str, rows: list[Any] | None, flags: tuple[str, ...]) -> list[Any]:
    """The records of the command: texts are lines of a file, lists of SMILES JSON lines."""
    key = {"pocket": "sequence", "raw": "text"}.get(task, "smiles")
    lines = rows is not None and key == "smiles" and all(isinstance(row, str) for row in rows)
    text = "".join((row if lines else json.dumps({key: row})) + "\n" for row in rows or ())
    source = ["-"] if rows is not None else []
    limit = () if "--max-tokens" in flags else ("--max-tokens", "200")
    run = logos("generate", task, *source, "-m", model, "--threads", "1", *limit, *flags, stdin=text)
    return run.lines


@pytest.fixture(scope="module")
def expected(nano_int4: Path) -> dict[int, list[Any]]:
    return {}


@pytest.mark.parametrize("case", range(len(CASES)))
def test_as_generate(
    server: Served, logos_here: Callable[..., Run], nano_int4: Path, expected: dict[int, list[Any]], case: int
) -> None:
    task, rows, options, flags = CASES[case]
    expected[case] = generated(logos_here, nano_int4, task, rows, flags)
    assert expected[case]
    body = options if rows is None else options | {"rows": rows}
    found = server.ask(f"/v1/tasks/{task}", body)
    assert found.status == 200, found.body
    assert found.json["records"] == expected[case]
    streamed = server.ask(f"/v1/tasks/{task}", body | {"stream": True})
    assert streamed.lines == expected[case]
    assert streamed.headers["content-type"].startswith("application/x-ndjson")


def test_all_at_once_as_each_alone(server: Served, expected: dict[int, list[Any]]) -> None:
    """Twelve clients, every one with other rows and settings than its neighbours, each twice."""
    assert len(expected) == len(CASES), "the cases above have run"

    def ask(number: int) -> Any:
        task, rows, options, _ = CASES[number % len(CASES)]
        return server.ask(f"/v1/tasks/{task}", options if rows is None else options | {"rows": rows}).json["records"]

    before = server.state.shared.engine.work.steps
    with ThreadPoolExecutor(12) as pool:
        found = list(pool.map(ask, range(2 * len(CASES))))
    together = server.state.shared.engine.work.steps - before
    assert found == [expected[number % len(CASES)] for number in range(2 * len(CASES))]
    for number in range(len(CASES)):
        ask(number)
    alone = server.state.shared.engine.work.steps - before - together
    assert together < 1.5 * alone, "requests of several clients share steps"


@pytest.mark.parametrize(
    "name, task, options, flags",
    [
        ("drugs.smi", "retro", "top=1&limit=4", ("--top", "1", "--limit", "4")),
        ("antibody.fasta", "antibody", "n=2&max_tokens=20", ("-n", "2", "--max-tokens", "20")),
        ("drugs.sdf", "retro", "limit=2", ("--limit", "2")),
    ],
)
def test_a_file_as_generate_reads_it(
    server: Served, logos_here: Callable[..., Run], nano_int4: Path, name: str, task: str, options: str, flags: tuple[str, ...]
) -> None:
    data = (EXAMPLES / name).read_bytes()
    limit = () if "--max-tokens" in flags else ("--max-tokens", "200")
    run = logos_here("generate", task, EXAMPLES / name, "-m", nano_int4, *limit, *flags)
    assert run.code == 0, run.err
    found = server.ask(f"/v1/tasks/{task}?{options}", data, {"Accept": "application/x-ndjson"})
    assert found.body.decode() == run.out, "byte for byte"
    assert server.ask(f"/v1/tasks/{task}?{options}", data).json["records"] == run.lines


def test_a_structure(server: Served, logos_here: Callable[..., Run], nano_int4: Path, tmp_path: Path) -> None:
    import gzip

    plain = tmp_path / "1a8o.pdb"
    plain.write_bytes(gzip.decompress((EXAMPLES / "1a8o.pdb.gz").read_bytes()))
    run = logos_here("generate", "pocket", plain, "-m", nano_int4, "--top", "1", "-n", "4", "--max-tokens", "200")
    (found,) = server.ask("/v1/tasks/pocket?top=1&n=4", plain.read_bytes()).json["records"]
    (expected,) = run.lines
    # A body has no name; the structure in it has.
    assert {**found, "id": ""} == {**expected, "id": ""} and found["site"]["chain"] == "A"


@pytest.mark.parametrize(
    "body, said",
    [
        ({"rows": ["CCO"], "tops": 3}, "no option 'tops'"),
        ({"rows": ["CCO"], "n": "3"}, "n is a text; it takes a whole number"),
        ({"rows": ["CCO"], "n": True}, "n is true or false"),
        ({"rows": ["CCO"], "n": 0}, "n is 0; it takes 1 to 256"),
        ({"rows": ["CCO"], "n": 257}, "it takes 1 to 256"),
        ({"rows": ["CCO"], "temperature": -1}, "temperature -1 is out of range"),
        ({"rows": ["CCO"], "max_tokens": 201}, "max_tokens is 201; it takes 1 to 200"),
        ({"rows": ["CCO"], "decode": "beam"}, "say how many: top K"),
        ({"rows": ["CCO"], "decode": "beam", "top": 2, "seed": 1}, "seed is for draws"),
        ({"rows": ["CCO"], "decode": "beam", "top": 33}, "top is 33; it takes 1 to 32"),
        ({"rows": ["CCO"], "decode": "greedy"}, "it takes sample or beam"),
        ({"rows": ["CCO"], "consensus": 0.5}, "consensus is for what pocket"),
        ({"rows": ["CCO"], "pocket_from": "ligand.sdf"}, "names a file, and this server reads none"),
        ({"rows": ["CCO"], "props": "mw"}, "retro does not answer with"),
        ({"rows": "CCO"}, "rows is a text; it takes a list"),
        ({"rows": [7]}, "row 1 is of type int"),
        ({"top": 2}, "retro needs rows"),
        ([1], "the body is a list; an object is expected"),
        ({"rows": ["CCO"] * 1001}, "more than 1,000 rows"),
        ({"rows": ["CCO"] * 900, "n": 200}, "at most 32,000 answers"),
        ({"rows": ["C" * 70_000]}, "row 1 is too long"),
    ],
)
def test_misuse(server: Served, body: Any, said: str) -> None:
    found = server.ask("/v1/tasks/retro", body)
    assert found.status == 400 and said in found.error, found.body
    assert found.json["error"]["type"] == "invalid_request_error"


@pytest.mark.parametrize(
    "address, body, status, said",
    [
        ("/v1/tasks/brew", {"rows": ["CCO"]}, 404, "no task 'brew'"),
        ("/v1/tasks/retro?n=x", b"CCO\n", 400, "n is a text"),
        ("/v1/tasks/retro?nn=1", b"CCO\n", 400, "no option 'nn'"),
        ("/v1/tasks/retro?n=2", {"rows": ["CCO"]}, 400, "stand in it, not in the address"),
        ("/v1/tasks/retro", b"\x1f\x8b\x08\x00", 400, ""),
        ("/v1/tasks/retro", b"[1]", 400, "a JSON array"),
        ("/nowhere", {}, 404, "Not Found"),
    ],
)
def test_other_misuse(server: Served, address: str, body: Any, status: int, said: str) -> None:
    found = server.ask(address, body)
    assert found.status == status and said in found.error, found.body


def test_a_table_of_structures_reads_no_files(server: Served, tmp_path: Path) -> None:
    structure = tmp_path / "1a8o.pdb.gz"
    structure.write_bytes((EXAMPLES / "1a8o.pdb.gz").read_bytes())
    found = server.ask("/v1/tasks/pocket?top=1", f"structure,ligand\n{structure},auto\n".encode())
    assert found.status == 400 and "a table that names structures" in found.error


def test_no_rows_no_records(server: Served) -> None:
    assert server.ask("/v1/tasks/retro", {"rows": []}).json["records"] == []
    assert server.ask("/v1/tasks/retro", {"rows": [], "stream": True}).body == b""
