"""What can go wrong on a CUDA card: offload of every scheme, agreement with the CPU, independence, memory, signals.

Skipped where the installed llama.cpp sees no CUDA device. docs/gpu.md says how to run it on a machine without a network.
"""

from __future__ import annotations

import json
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from processes import PATIENCE, running

from logos_cli.engines.engine import Engine, Request
from logos_cli.engines.llamacpp.devices import gpus
from logos_cli.engines.sampling import Sampling
from logos_cli.errors import EngineError
from logos_cli.quant.quantize_gguf import quantize_gguf
from logos_cli.quant.schemes import scheme_named

pytestmark = [
    pytest.mark.cuda,
    pytest.mark.skipif(not any(gpu.name.startswith("CUDA") for gpu in gpus()), reason="needs a CUDA card and build"),
]

PRODUCTS = (
    "CC(=O)Nc1ccc(O)cc1", "CC(=O)Oc1ccccc1C(=O)O", "CC(C)Cc1ccc(C(C)C(=O)O)cc1", "O=C(O)c1ccccc1Nc1ccccc1",
    "CN1CCC(c2ccccc2)CC1", "CCN(CC)CCNC(=O)c1ccc(N)cc1", "COc1ccc2[nH]c(S(=O)Cc3ncc(C)c(OC)c3C)nc2c1",
)  # fmt: skip
PROMPTS = tuple(f"<MoleculeS>{smiles}<MoleculeE><ReverseReact>" for smiles in PRODUCTS)
GREEDY = Sampling(temperature=0.0, top_k=0, max_tokens=60)
DRAWN = Sampling(temperature=1.0, top_k=0, top_p=0.9, max_tokens=120)
SCHEMES = ("bf16", "q8_0", "q6_k", "q5_k_m", "q4_k_m", "q4_0", "iq4_xs")
# Of a token's log-probability, CPU against card: both round activations to 8 bits for quantized weights, each in its way.
BOUNDS = {"bf16": 0.1}
BOUND = 0.5


@pytest.fixture(scope="module")
def nano_in(nano_bf16: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    folder = tmp_path_factory.mktemp("cuda")

    def get(scheme: str) -> Path:
        out = folder / f"nano-{scheme}.gguf"
        if scheme == "bf16":
            return nano_bf16
        if not out.exists():
            quantize_gguf(nano_bf16, out, scheme_named(scheme), None, lambda *_: None)
        return out

    return get


Answers = dict[tuple[int, int], tuple[tuple[int, ...], float]]


def answers(engine: Engine, numbers: Sequence[int], samples: int, sampling: Sampling) -> Answers:
    requests = [Request(i, engine.encode(PROMPTS[i]), range(samples)) for i in numbers]
    return {(g.row, g.sample): (g.tokens, g.logprob) for g in engine.generate(requests, sampling, ["<MoleculeE>"]) if g}


@pytest.mark.parametrize("scheme", SCHEMES)
def test_every_scheme_runs_on_the_card_and_agrees_with_the_cpu(
    scheme: str, nano_in: Callable[[str], Path], open_model: Any
) -> None:
    cpu, card = open_model(nano_in(scheme)), open_model(nano_in(scheme), device="cuda")
    assert card.info.device.startswith("CUDA")
    assert card.info.rows
    written = answers(cpu, range(len(PROMPTS)), 1, GREEDY)
    for (row, _), (tokens, _) in written.items():
        prompt = cpu.encode(PROMPTS[row])
        far = np.abs(cpu.score(prompt, tokens) - card.score(prompt, tokens)).max()
        assert far < BOUNDS.get(scheme, BOUND)
    if scheme in ("bf16", "q8_0"):
        there = answers(card, range(len(PROMPTS)), 1, GREEDY)
        assert sum(there[key][0] == written[key][0] for key in written) >= len(PROMPTS) - 1


@pytest.mark.parametrize("scheme", SCHEMES)
def test_answers_do_not_depend_on_neighbours_order_or_resume(
    scheme: str, nano_in: Callable[[str], Path], open_model: Any
) -> None:
    path, numbers = nano_in(scheme), list(range(len(PROMPTS)))
    whole = answers(open_model(path, device="cuda", batch=32), numbers, 8, DRAWN)
    assert len({tokens for tokens, _ in whole.values()}) > len(PROMPTS), "samples of a prompt must part, or nothing forks"
    for some, batch in ((numbers, 32), (numbers[::-1], 32), (numbers[3:5], 32), (numbers, 20)):
        again = answers(open_model(path, device="cuda", batch=batch), some, 8, DRAWN)
        assert again == {key: value for key, value in whole.items() if key[0] in some}


@pytest.mark.parametrize("scheme", ["bf16", "q4_k_m"])
def test_scores_do_not_depend_on_neighbours(scheme: str, nano_in: Callable[[str], Path], open_model: Any) -> None:
    engine = open_model(nano_in(scheme), device="cuda")
    pairs = [(engine.encode("<MoleculeS>"), engine.encode(smiles)[1:]) for smiles in PRODUCTS * 3]
    alone = [engine.score(*pair) for pair in pairs]
    for one, other in zip(alone, engine.score_many(pairs), strict=True):
        assert np.array_equal(one, other)


def test_short_memory_means_fewer_rows_and_one_note(nano_in: Callable[[str], Path], open_model: Any) -> None:
    notes: list[str] = []
    engine = open_model(nano_in("q4_k_m"), device="cuda", batch=128, note=notes.append)
    engine.free_bytes = lambda: 40 * 1024 * engine.kv_bytes_per_token
    found = answers(engine, range(3), 8, DRAWN)
    assert len(found) == 24
    assert len(notes) == 1 and "memory is short" in notes[0]


def test_a_card_that_is_not_there(nano_in: Callable[[str], Path], open_model: Any) -> None:
    with pytest.raises(EngineError, match="--device cuda:99: there are"):
        open_model(nano_in("q4_k_m"), device="cuda:99")


def started(path: Path, tmp_path: Path, count: int) -> AbstractContextManager[subprocess.Popen[str]]:
    rows = tmp_path / "rows.jsonl"
    rows.write_text("".join(json.dumps({"text": prompt}) + "\n" for prompt in PROMPTS * count))
    drawn = ("-n", "64", "--max-tokens", "500", "--temperature", "3")
    return running(
        "generate", "raw", rows, "-m", path, "--device", "cuda", *drawn, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


@pytest.mark.parametrize("sent, status", [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_signals_end_a_run_within_a_second(
    sent: signal.Signals, status: int, nano_in: Callable[[str], Path], tmp_path: Path
) -> None:
    with started(nano_in("q4_k_m"), tmp_path, 500) as child:
        assert child.stdout
        child.stdout.readline()
        began = time.monotonic()
        child.send_signal(sent)
        _, err = child.communicate(timeout=PATIENCE)
        assert (child.returncode, "Traceback" in err) == (status, False)
        assert time.monotonic() - began < 1.5  # a second, and the process's own end


def test_two_processes_share_a_card(nano_in: Callable[[str], Path], tmp_path: Path) -> None:
    folders = [tmp_path / name for name in "ab"]
    for folder in folders:
        folder.mkdir()
    with ExitStack() as stack:
        children = [stack.enter_context(started(nano_in("q4_k_m"), folder, 1)) for folder in folders]
        outputs = [child.communicate(timeout=PATIENCE)[0] for child in children]
        assert [child.returncode for child in children] == [0, 0]
    assert outputs[0] == outputs[1] != ""
