"""A short run of the installed llama.cpp in a process of its own: a build for another CPU dies of an illegal instruction.

    python -m logos_cli.engines.llamacpp.trial FILE

Prints one JSON object: the CPU features of the build, its GPU devices with their free and total memory in bytes, tokens,
and seconds to load FILE and write them.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from logos_cli.engines.engine import EngineSettings, Request
from logos_cli.engines.llamacpp import library
from logos_cli.engines.llamacpp.devices import gpus
from logos_cli.engines.llamacpp.engine import LlamaCppEngine
from logos_cli.engines.sampling import Sampling


def main() -> int:
    began = time.monotonic()
    engine = LlamaCppEngine(Path(sys.argv[1]), EngineSettings(device="cpu"))
    prompt = engine.encode("<MoleculeS>")
    (answer,) = engine.generate(
        [Request(0, prompt, range(1))], Sampling(temperature=0, max_tokens=40), ["<MoleculeE>"], single=True
    )
    assert answer is not None
    seen = [{"name": str(gpu), "memory": gpu.memory()} for gpu in gpus()]
    found = {"features": library.build_features(), "gpus": seen, "tokens": len(answer.tokens)}
    sys.stdout.write(json.dumps({**found, "seconds": round(time.monotonic() - began, 3)}) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
