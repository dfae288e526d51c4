"""A model on a server: the same records as of its file, whatever happens on the way; what cannot be known is null."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from builders import Run
from completions_server import CUT, CompletionsServer, serving

from logos_cli.engines.engine import EngineSettings, Request
from logos_cli.engines.remote.address import Address
from logos_cli.engines.remote.completions import Choice, Token
from logos_cli.engines.remote.engine import RemoteEngine, text_of
from logos_cli.engines.sampling import Sampling
from logos_cli.errors import EngineError, TokenizerError, UsageError

Logos = Callable[..., Run]
ROWS = "CC(=O)Nc1ccc(O)cc1 a\nCC(=O)Oc1ccccc1C(=O)O b\nnot_smiles c\nO=C(O)c1ccc(NC(=O)c2ccccc2)cc1 d\n"
SAME = ("row", "id", "input", "sample", "answer", "valid", "error", "text", "finish")


@pytest.fixture
def server(nano_bf16: Path, open_model: Any) -> Iterator[CompletionsServer]:
    with serving(CompletionsServer(open_model(nano_bf16))) as told:
        yield told


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("logos_cli.engines.remote.client.FIRST_PAUSE", 0.01)
    monkeypatch.setattr("logos_cli.engines.remote.client.ATTEMPTS", 4)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["vllm", "llamacpp", "somebody"])
@pytest.mark.parametrize("task, stdin", [("retro", ROWS), ("molecule", "")])
def test_greedy_records_are_those_of_the_file(
    server: CompletionsServer, nano_bf16: Path, logos_here: Logos, kind: str, task: str, stdin: str
) -> None:
    server.kind = kind
    asked = [*([task, "-"] if stdin else [task]), "--temperature", "0", "--repetition-penalty", "1.05"]
    asked += ["--max-tokens", "80"]
    near = logos_here("generate", *asked, "-m", nano_bf16, stdin=stdin)
    far = logos_here("generate", *asked, "-m", server.address, stdin=stdin)
    assert far.code == near.code == 0, far.err
    assert [[one[key] for key in SAME] for one in far.lines] == [[one[key] for key in SAME] for one in near.lines]
    for one, other in zip(far.lines, near.lines, strict=True):
        if kind == "somebody" or one["text"] is None:
            assert one["logprob"] is None and one["tokens"] is None
        else:
            # The server scores the answer anew, in longer pieces than it was written in: bf16 kernels round otherwise.
            assert one["tokens"] == other["tokens"] and one["logprob"] == pytest.approx(other["logprob"], abs=0.02)
        assert one["model"].startswith("nano@") and one["model"] != other["model"]
    left_to_server = {"stop" in body for body in server.asked[1:]}
    assert left_to_server <= {kind == "vllm" and task == "molecule"}


def test_an_answer_that_ends_without_its_stop_is_not_made_whole() -> None:
    """A server that only says `stop` could mean either; where the text has no marker there was none."""
    ended = Choice(0, "CCO", "stop", (Token("CCO", -1.0, 5), Token("", -0.5, 2)), None, False)
    assert ended.up_to(("<MoleculeE>",)) == ended and ended.logprob == -1.5
    met = Choice(0, "CCO", "stop", None, "<MoleculeE>", True)
    assert met.up_to(("<MoleculeE>",)).text == "CCO<MoleculeE>"
    beyond = Choice(0, "CC<E>CCC", "length", (Token("CC", -1.0), Token("<E>", -1.0), Token("CCC", -9.0)), None, False)
    cut = beyond.up_to(("<E>",))
    assert (cut.text, cut.finish, cut.logprob) == ("CC<E>", "stop", -2.0)
    uneven = Choice(0, "CC<E>CCC", "length", (Token("CC<", -1.0), Token("E>C", -1.0), Token("CC", -9.0)), None, False)
    assert uneven.up_to(("<E>",)).tokens is None, "a token reaches past the stop: what it would add is not known"


@pytest.mark.slow
def test_samples_and_resume_ask_the_same_questions(server: CompletionsServer, logos_here: Logos, tmp_path: Path) -> None:
    rows, whole, cut = tmp_path / "rows.smi", tmp_path / "whole.jsonl", tmp_path / "cut.jsonl"
    rows.write_text(ROWS)
    asked = ("generate", "retro", rows, "-m", server.address, "-n", "11", "--max-tokens", "60")
    assert logos_here(*asked, "-o", whole).code == 0
    bodies = {json.dumps(body, sort_keys=True) for body in server.asked}
    assert sorted(json.loads(body)["n"] for body in bodies) == [3, 3, 3, 8, 8, 8]
    # An interrupted run is one whose OUT.partial ends somewhere.
    server.statuses = [404]
    first = logos_here(*asked, "-o", cut)
    assert first.code == 1 and "404, try later" in first.err and not cut.exists()
    again = logos_here(*asked, "-o", cut, "--resume")
    assert again.code == 0, again.err
    assert cut.read_bytes() == whole.read_bytes()
    assert {json.dumps(body, sort_keys=True) for body in server.asked} == bodies


@pytest.mark.slow
def test_a_server_that_is_away_for_a_moment(server: CompletionsServer, logos_here: Logos) -> None:
    server.statuses = [503, CUT, 429]
    done = logos_here("generate", "retro", "-", "-m", server.address, "--temperature", "0", stdin=ROWS)
    assert done.code == 0 and sum(one["valid"] for one in done.lines) == 3
    server.statuses = [503] * 50
    failed = logos_here("generate", "retro", "-", "-m", server.address, "--temperature", "0", stdin=ROWS)
    assert failed.code == 1 and "asked 4 times (503, try later); with -o OUT and --resume the run goes on" in failed.err


@pytest.mark.slow
def test_what_a_server_does_not_take(server: CompletionsServer, logos_here: Logos, monkeypatch: pytest.MonkeyPatch) -> None:
    server.refuse, server.most = "c2ccccc2", 2
    monkeypatch.setenv("LOGOS_API_KEY", "sesame")
    done = logos_here("generate", "retro", "-", "-m", server.address, "-n", "3", "--max-tokens", "60", stdin=ROWS)
    assert done.code == 0, done.err
    errors = [one["error"] for one in done.lines if one["sample"] is None]
    assert errors == ["not a valid SMILES: not_smiles", "the prompt is too long"]
    assert [one["sample"] for one in done.lines if one["sample"] is not None] == [0, 1, 2] * 2
    assert set(server.keys) == {"Bearer sesame"} and "sesame" not in done.out + done.err
    server.statuses = [401]
    refused = logos_here("generate", "molecule", "-m", server.address)
    assert refused.code == 1 and "401, try later; put its key into $LOGOS_API_KEY" in refused.err


@pytest.mark.slow
def test_what_a_server_cannot_do(server: CompletionsServer, logos_here: Logos) -> None:
    commands: tuple[tuple[str, ...], ...] = (("score", "-"), ("generate", "retro", "-", "--decode", "beam", "--top", "2"))
    for command in commands:
        done = logos_here(*command, "-m", server.address, stdin="CCO a\n")
        assert done.code == 1 and "give the model file with -m" in done.err, done.err
    commands = (("quantize", server.address, "-o", "x.gguf"), ("bench", "latency", server.address))
    for command in commands:
        done = logos_here(*command)
        assert done.code == 2 and "is a server, which generate and inspect ask" in done.err
    shown = logos_here("inspect", server.address)
    assert shown.code == 0 and "16 of 16 are one token each" in shown.out and "1,024 tokens" in shown.out
    assert "the same run can give other texts" in " ".join(shown.out.split())
    assert logos_here("tasks", "-m", server.address).code == 0
    with pytest.raises(TokenizerError, match=r"marker <Nobody> is \d+ tokens in nano, not one"):
        RemoteEngine(server.address, EngineSettings()).marker("<Nobody>")
    nobody = server.address.replace("#nano", "#other")
    assert "has no model other, but nano" in logos_here("inspect", nobody).err


def test_addresses() -> None:
    assert Address.parse("http://h:8000") == Address("http://h:8000/v1", None)
    assert Address.parse("https://h/api/v1/#a/b%20c") == Address("https://h/api/v1", "a/b c")
    assert Address.parse("http://h:1/v1/completions#m").root == "http://h:1"
    for bad in ("http://", "http://user:secret@h/v1", "http://h:x/v1", "http://h/v1?key=1"):
        with pytest.raises(UsageError) as caught:
            Address.parse(bad)
        assert "secret" not in str(caught.value)


def test_texts_travel_as_numbers(server: CompletionsServer) -> None:
    engine = RemoteEngine(server.address, EngineSettings())
    for text in ("<MoleculeS>CCO", "\0\n", "naïve 🧪"):
        assert text_of(engine.encode(text)) == text
    assert engine.encode("") == ()


def test_nobody_there(logos_here: Logos) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    done = logos_here("generate", "molecule", "-m", f"http://127.0.0.1:{port}/v1")
    assert done.code == 1 and f"127.0.0.1:{port} cannot be reached" in done.err and done.err.count("\n") == 1


@pytest.mark.peer
def test_llama_server_gives_the_same_records(nano_bf16: Path, logos_here: Logos, tmp_path: Path, open_model: Any) -> None:
    """$LLAMA_BIN is the folder of llama-server, built of the same llama.cpp."""
    if "LLAMA_BIN" not in os.environ:
        pytest.skip("$LLAMA_BIN is not set")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    tool = Path(os.environ["LLAMA_BIN"]) / "llama-server"
    command = [str(tool), "-m", str(nano_bf16), "--port", str(port), *["-np", "8", "-c", "8192", "-t", "2"]]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            address = f"http://127.0.0.1:{port}/v1"
            for _ in range(100):
                try:
                    engine = RemoteEngine(address, EngineSettings())
                    break
                except EngineError:
                    time.sleep(0.2)
            near = open_model(nano_bf16)
            prompts = [f"<MoleculeS>{row.split()[0]}<MoleculeE><ReverseReact>" for row in ROWS.splitlines() if "_" not in row]
            for stops in ((), ("<MoleculeE>",)):
                both = [
                    {
                        one.row: one
                        for one in each.generate(
                            [Request(row, each.encode(prompt), [0]) for row, prompt in enumerate(prompts)],
                            Sampling(temperature=0, max_tokens=60), stops,
                        )
                        if one
                    }
                    for each in (engine, near)
                ]  # fmt: skip
                for row in range(len(prompts)):
                    far, here = both[0][row], both[1][row]
                    assert (far.text, far.tokens, far.finish) == (here.text, here.tokens, here.finish)
                    assert far.logprob == pytest.approx(here.logprob, abs=0.02)
            rows = tmp_path / "rows.smi"
            rows.write_text(ROWS)
            done = logos_here("generate", "retro", rows, "-m", address, "--top", "3")
            assert done.code == 0 and {one["row"] for one in done.lines} == {0, 1, 2, 3}
            assert all(one["valid"] for one in done.lines if one["row"] != 2)
        finally:
            process.kill()
