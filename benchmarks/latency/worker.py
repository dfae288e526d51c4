"""One round of `logos bench latency` for one model, in a process of its own: only so is its peak memory its own.

    echo '{"path": …, "settings": {…}}' | python -m logos_cli.benchmarks.latency.worker

Prints one JSON object: the round, or `error` and `code`. Everything goes through `Engine.generate`, as in the command.
"""

from __future__ import annotations

import json
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

from logos_cli.benchmarks.latency.results import DecodeRound, Round, TaskRound
from logos_cli.benchmarks.latency.settings import LatencySettings
from logos_cli.chemistry.grammar import MARKERS
from logos_cli.engines.engine import Engine, EngineSettings, Request
from logos_cli.engines.llamacpp.devices import gpu_bytes_used
from logos_cli.engines.llamacpp.library import is_installed
from logos_cli.engines.open_engine import open_engine
from logos_cli.engines.sampling import resolve
from logos_cli.errors import EngineError, InputError, LogosError, TokenizerError
from logos_cli.pipeline.generate_records import GenerationPlan, generate_records
from logos_cli.system.memory import peak_bytes
from logos_cli.tasks.table import task_named
from logos_cli.tasks.task import PUBLISHED


def measure(path: Path, settings: LatencySettings) -> Round:
    """Measures one model."""
    on_gpu = settings.device != "cpu" and is_installed()  # llama.cpp is whom the GPU's memory is asked of
    gpu_before = gpu_bytes_used() if on_gpu else 0
    began = time.perf_counter()
    engine = open_engine(path, EngineSettings(settings.device, settings.threads, 1, refuse))
    loaded = time.perf_counter() - began
    try:
        run = Run(engine, settings)
        prefill, first_token = run.first_token()
        decode, gpu = [], [0]
        for samples in sorted(settings.samples):
            decode.append(run.decode(samples))
            gpu.append(gpu_bytes_used() - gpu_before if on_gpu else 0)
        task = run.task()
    finally:
        engine.close()
    about = {name: getattr(engine.info, name) for name in ("device", "threads", "kv_type", "build")}
    return Round(loaded, prefill, first_token, tuple(decode), max(gpu), task, peak_bytes(), about)


def refuse(note: str) -> None:
    """Refuses to go on: the engine says so if memory is short and it would write fewer answers at once than were asked for."""
    raise EngineError(f"{note}: nothing is measured then; leave out the larger sizes of --batch")


class Run:
    """The measurements of one loaded model. Each is made after a run of the same kind that is not counted."""

    def __init__(self, engine: Engine, settings: LatencySettings) -> None:
        self.engine, self.settings = engine, settings
        # Ordinary tokens at random: what they are does not change the time, but markers and ends are special.
        plain = [i for i, text in enumerate(engine.token_texts()) if text not in MARKERS and not text.startswith("<")]
        # A context that a prompt this long opens is long enough for every later run.
        longest = max(settings.prompt, (max(settings.start, 128) * 5 // 4 + settings.new) * 4 // 5 + 8)
        longest = min(longest, engine.info.context - 3)
        self.ids = tuple(np.random.default_rng(settings.seed).choice(plain, longest).tolist())
        self.sampling = replace(PUBLISHED, seed=settings.seed)

    def seconds(self, prompt: int, samples: int, new: int) -> float:
        """Measures the wall time of writing `samples` answers of `new` tokens after a prompt of `prompt`. They are asked for
        as rows of their own, so that each token is decoded: samples of one row would share those they begin with."""
        requests = [Request(row, self.ids[:prompt], [0]) for row in range(samples)]
        began = time.perf_counter()
        answers = list(self.engine.generate(requests, replace(self.sampling, max_tokens=new), None, samples == 1))
        took = time.perf_counter() - began
        assert sum(len(answer.tokens) for answer in answers if answer) == samples * new
        return took

    def prepare(self, samples: int) -> None:
        """Opens the context for that many answers at once, and no larger one; warms up."""
        self.engine.release()
        self.engine.settings = replace(self.engine.settings, batch=samples)
        self.seconds(len(self.ids), samples, 2)

    def first_token(self) -> tuple[float, float]:
        """Measures prompt reading in tokens a second, and milliseconds to the first token of a short prompt."""
        self.prepare(1)
        settings = self.settings
        prefill = settings.prompt / self.seconds(settings.prompt, 1, 1)
        self.seconds(settings.start, 1, 1)
        return prefill, 1000 * self.seconds(settings.start, 1, 1)

    def decode(self, samples: int) -> DecodeRound:
        """Measures tokens a second while `samples` answers are written together: prompt and first token are taken off."""
        settings = self.settings
        self.prepare(samples)
        for _ in range(5):
            first = self.seconds(settings.start, samples, 1)
            whole = self.seconds(settings.start, samples, settings.new + 1)
            if whole > first:
                return DecodeRound(samples, samples * settings.new / (whole - first), peak_bytes())
        raise EngineError(f"{settings.new} tokens are written too fast to be timed on this busy machine; raise --new")

    def task(self) -> TaskRound | None:
        """Measures rows in, records out: tokenization, sampling and chemistry included; None if the model does not speak the
        task.

        Raises InputError if no row gave an answer.
        """
        settings = self.settings
        chosen = task_named(settings.task)
        flags = {"seed": settings.seed, "max_tokens": settings.max_tokens}
        sampling = resolve(chosen.name, chosen.sampling, chosen.source, self.engine.info.sampling, flags).settings
        plan = GenerationPlan(chosen, sampling, settings.task_samples)
        try:
            for marker in chosen.needs:
                self.engine.marker(marker)
        except TokenizerError:
            return None
        self.engine.release()
        self.engine.settings = replace(self.engine.settings, batch=max(settings.samples))
        list(generate_records(settings.rows[:1], plan, self.engine))
        before = replace(self.engine.work)
        began = time.perf_counter()
        records = list(generate_records(settings.rows, plan, self.engine))
        took = time.perf_counter() - began
        answers = [record for record in records if not record.failed]
        if not answers:
            raise InputError(f"no row of the task could be used: {records[0].error}")
        rows, work = len({record.row for record in answers}), self.engine.work
        return TaskRound(
            rows, took / rows, len(answers) / took, sum(record.tokens or 0 for record in answers) / took,
            (work.rows + work.padding - before.rows - before.padding) / (work.tokens - before.tokens),
        )  # fmt: skip


def main() -> int:
    request = json.load(sys.stdin)
    try:
        answer = measure(Path(request["path"]), LatencySettings.from_dict(request["settings"])).to_dict()
    except LogosError as error:
        answer = {"error": str(error), "code": error.exit_code}
    sys.stdout.write(json.dumps(answer) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
