"""What an interrupted measurement keeps."""

from __future__ import annotations

from pathlib import Path

import pytest

from logos_cli.errors import OutputError, UsageError
from logos_cli.records.journal import Journal, check_inputs

SETTINGS = {"seed": 0, "models": ["a", "b"]}


def test_what_was_measured_is_there_again(tmp_path: Path) -> None:
    out = tmp_path / "out.json"
    journal = Journal(out, SETTINGS, resume=False)
    journal.put({"rate": 1.5}, "tokens", 0)
    journal.put([1, 2], 3, 4)
    journal.close()
    with (tmp_path / "out.json.partial").open("ab") as stream:
        stream.write(b'{"key": ["tokens", 1], "val')  # killed here
    again = Journal(out, SETTINGS, resume=True)
    assert again.get("tokens", 0) == {"rate": 1.5} and again.get(3, 4) == [1, 2] and again.get("tokens", 1) is None
    again.put(7, "tokens", 1)
    again.close()
    last = Journal(out, SETTINGS, resume=True)
    assert last.get("tokens", 1) == 7
    last.finish("{}\n")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.json", "out.json.run"]


def test_damage_costs_what_it_hit(tmp_path: Path) -> None:
    out, partial = tmp_path / "out.json", tmp_path / "out.json.partial"
    journal = Journal(out, SETTINGS, resume=False)
    for number in range(3):
        journal.put(number, number)
    journal.close()
    lines = partial.read_bytes().splitlines(keepends=True)
    partial.write_bytes(lines[0] + lines[1] + b"\0" * 20 + b"\n" + lines[3])
    again = Journal(out, SETTINGS, resume=True)
    assert [again.get(number) for number in range(3)] == [0, None, 2]
    assert "line 3 is damaged" in (again.damage() or "")
    again.close()


def test_it_is_not_mixed_up(tmp_path: Path) -> None:
    out = tmp_path / "out.json"
    first = Journal(out, SETTINGS, resume=False)
    for resume in (True, False):
        with pytest.raises(OutputError, match="being written by another run"):
            Journal(out, SETTINGS, resume)
    first.close()
    with pytest.raises(OutputError, match="add --resume"):
        Journal(out, SETTINGS, resume=False)
    with pytest.raises(OutputError, match="seed was 0, is 1"):
        Journal(out, SETTINGS | {"seed": 1}, resume=True)
    partial = tmp_path / "out.json.partial"
    partial.write_text("")
    Journal(out, SETTINGS, resume=True).close()
    partial.write_text("what somebody else keeps here\n")
    with pytest.raises(OutputError, match="no unfinished run of this command"):
        Journal(out, SETTINGS, resume=True)
    assert partial.read_text() == "what somebody else keeps here\n"
    with pytest.raises(OutputError, match="is a folder"):
        Journal(tmp_path, SETTINGS, resume=False)


def test_without_a_file_nothing_is_written(tmp_path: Path) -> None:
    journal = Journal(None, SETTINGS, resume=False)
    journal.put(1, "a")
    journal.finish("{}")
    assert not journal.complete and not list(tmp_path.iterdir())


def test_after_completion_nothing_is_left_to_do(tmp_path: Path) -> None:
    out = tmp_path / "out.json"
    Journal(out, SETTINGS, resume=False, of_output={"budget": "4.5"}).finish("{}")
    assert Journal(out, SETTINGS, resume=True, of_output={"budget": "4.5"}).complete
    with pytest.raises(OutputError, match=r"of another run: budget was '4.5', is '5'"):
        Journal(out, SETTINGS, resume=True, of_output={"budget": "5"})
    out.write_text("[]")
    with pytest.raises(OutputError, match="was changed since its run wrote it"):
        Journal(out, SETTINGS, resume=True, of_output={"budget": "4.5"})
    (tmp_path / "out.json.run").unlink()
    with pytest.raises(OutputError, match="nothing says which run wrote it"):
        Journal(out, SETTINGS, resume=True)


def test_an_input_is_no_output(tmp_path: Path) -> None:
    model = tmp_path / "m.gguf"
    model.write_bytes(b"x")
    link = tmp_path / "l.gguf"
    link.symlink_to(model)
    with pytest.raises(UsageError, match="is an input"):
        check_inputs(model, False, (None, "nano", str(link)))
    with pytest.raises(UsageError, match="--resume needs -o"):
        check_inputs(None, True, ())
    check_inputs(tmp_path / "new.json", True, (model,))
