"""Damaged requests to a server: `python tests/stress/fuzz_server.py [--count 1000] [--seed 0] [--first 0]`.

A case fails if its answer is none of 2xx and 4xx, is an error without a line that says why, or does not come; and if the server
does not answer a whole request afterwards as it did before.
"""

from __future__ import annotations

import argparse
import copy
import json
import random
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any
from urllib.parse import quote

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))

from fuzz import ODD_VALUES, odd_values, wounded
from processes import wait_until
from served import Reply, Served, served

PATIENCE = 120.0  # seconds, of a machine many times slower than this was written on
MOST = 24  # tokens of an answer, so that what is valid is short
COMPLETION: dict[str, Any] = {
    "prompt": ["<MoleculeS>", "<MoleculeS>c1cc"], "n": 2, "seed": 4, "stop": ["<MoleculeE>"], "logprobs": 2,
    "max_tokens": 8, "temperature": 1.2, "top_p": 0.9, "top_k": 40, "repetition_penalty": 1.05, "stream": False,
}  # fmt: skip
TASK: dict[str, Any] = {
    "n": 2, "top": 2, "temperature": 1.2, "top_k": 50, "top_p": 0.85, "seed": 1, "max_tokens": 12, "repetition_penalty": 1.1,
    "valid_only": False, "stream": False, "limit": 3,
}  # fmt: skip
SMILES = ["CC(=O)Nc1ccc(O)cc1", "CC(=O)O.OCC>>CC(=O)OCC"]
ROWS: dict[str, list[Any]] = {
    "retro": [*SMILES, {"smiles": "CCO", "id": "a"}], "react": [["CC(=O)Cl", "Nc1ccccc1"], SMILES[1]], "molecule": ["c1ccccc1"],
    "pocket": ["MKTAYIAKQRQISF"], "protein": ["MKT"], "ligand": [{"sequence": "MKTAYIAKQR", "pocket": [2, 3]}],
    "raw": [{"id": "x", "text": "<MoleculeS>CC"}], "material": [],
}  # fmt: skip
FILES: dict[str, bytes] = {
    "retro": b"CC(=O)Nc1ccc(O)cc1 a\nsmiles,id\nCCO,b\n", "pocket": b">a\nMKTAYIAKQRQISF\n",
    "raw": b'{"id": 1, "text": "<MoleculeS>"}\n',
}  # fmt: skip
WORDS = (
    "n", "top", "seed", "max_tokens", "temperature", "stream", "decode", "beam_width", "chain", "pocket_from", "nowhere",
)  # fmt: skip
BEAMS = ("2", "2", "3", "0", "-1", "10000000000", "%00", "%C2%B2")
BROKEN = (b"[" * 100_000, b'{"rows":' * 2000, b"NaN", b"1e999", b'"\\ud800"', b"", b"\0" * 100)


def request(rng: random.Random) -> tuple[str, bytes, str]:
    """Address, body, content type: whole ones first, then damaged."""
    kind = rng.randrange(4)
    if kind == 0:
        path, value = "/v1/completions", COMPLETION | {"stream": rng.random() < 0.3}
    elif kind == 1:
        task = rng.choice(list(ROWS))
        path, value = f"/v1/tasks/{task}", TASK | {"rows": ROWS[task], "stream": rng.random() < 0.3}
        if rng.random() < 0.5:
            value = {"rows": ROWS[task], "max_tokens": MOST, "n": 2}
    elif kind == 2:
        return f"/retrosynthesis/batch?n_beams={rng.choice(BEAMS)}", *damaged(SMILES, rng)
    else:
        task = rng.choice(list(FILES))
        options = {"max_tokens": str(MOST)} | {rng.choice(WORDS): str(rng.choice(ODD_VALUES)) for _ in range(rng.randrange(3))}
        address = "&".join(f"{name}={quote(text[:300], errors='replace')}" for name, text in options.items())
        return f"/v1/tasks/{task}?{address}", wounded(FILES[task], rng), rng.choice(("text/plain", "", "application/json; x"))
    return path, *damaged(value, rng)


def damaged(value: Any, rng: random.Random) -> tuple[bytes, str]:
    """A body with values of other kinds, odd names, or broken as bytes; and what it says it is."""
    data = json.dumps(value).encode()
    kind = "application/json" if rng.random() < 0.95 else rng.choice(("text/plain", "application/jsonx", "\xe9", ""))
    match rng.randrange(6):
        case 0:
            return wounded(data, rng), kind
        case 1 if isinstance(value, dict):
            found = copy.deepcopy(value)
            found[rng.choice([*found, "other", "rows", "prompt"])] = rng.choice([*ODD_VALUES, ["a"] * 5000, "C" * 100_000])
            return json.dumps(found).encode(), kind
        case 2:
            return rng.choice((*BROKEN, data[:-1])), kind
        case _:
            return odd_values(data, rng), kind


def complaint(reply: Reply) -> str | None:
    """What is wrong with an answer, or None."""
    if not (200 <= reply.status < 300 or 400 <= reply.status < 500):
        return f"status {reply.status}: {reply.body[:300]!r}"
    if reply.status >= 400:
        try:
            said = reply.error
        except (ValueError, KeyError, TypeError):
            return f"an error that says nothing: {reply.body[:300]!r}"
        if not said or "\n" in said:
            return f"an error in other than one line: {said[:300]!r}"
    return None


def fuzz(numbers: range, seed: int, server: Served) -> tuple[Counter[str], list[str]]:
    """(how many were answered how, complaints)."""
    whole = {"prompt": "<MoleculeS>", "n": 3, "seed": 7, "max_tokens": 10}
    before = server.ask("/v1/completions", whole).json["choices"]
    ends: Counter[str] = Counter()
    complaints = []
    for number in numbers:
        path, body, kind = request(random.Random(f"{seed} {number}"))
        where = f"seed {seed} case {number}: {path[:200]} {body[:300]!r}"
        began = time.monotonic()
        try:
            reply = server.ask(path, body, {"Content-Type": kind})
        except Exception as error:  # noqa: BLE001  # that there is no answer is a finding
            complaints.append(f"{where}: {type(error).__name__}: {error}")
            continue
        ends[f"{path.partition('?')[0]}: {reply.status}"] += 1
        wrong = complaint(reply) or (f"{time.monotonic() - began:.0f} s" if time.monotonic() - began > PATIENCE else None)
        if wrong:
            complaints.append(f"{where}: {wrong}")
    wait_until(lambda: not (server.state.gate.inside or server.state.sessions))  # a client has its answer a moment before
    if server.ask("/v1/completions", whole).json["choices"] != before:
        complaints.append("a whole request is answered otherwise than before")
    return ends, complaints


def main() -> int:
    from logos_cli.convert.nano_model import nano_model

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--first", type=int, default=0, help="number of the first request, to repeat one")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    began = time.monotonic()
    with served(nano_model(), tokens=MOST) as server:
        ends, complaints = fuzz(range(args.first, args.first + args.count), args.seed, server)
    for end, times in sorted(ends.items()):
        sys.stdout.write(f"{times:>6}  {end}\n")
    sys.stdout.write("".join(f"\n{text}\n" for text in complaints))
    sys.stdout.write(f"{args.count} requests, {len(complaints)} complaints, {time.monotonic() - began:.0f} s\n")
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())
