"""The page and the sentences made from results."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from builders import Run
from schemas import check_schema

from logos_cli.benchmarks.accuracy.results import AccuracyResult, Change
from logos_cli.benchmarks.latency.results import LatencyResult
from logos_cli.benchmarks.metrics.intervals import Estimate
from logos_cli.benchmarks.report.charts import Bar, RatioScale, Scale, bars, lines
from logos_cli.benchmarks.report.front import advice, files, front, losses
from logos_cli.benchmarks.report.front_chart import front_panels
from logos_cli.benchmarks.report.markdown import markdown
from logos_cli.benchmarks.report.report import read_results
from logos_cli.benchmarks.report.tables import points, tables, verdict, verdict_on

VOID = {"meta", "br", "line", "circle", "rect", "path", "i"}


def estimate(value: float, low: float, high: float) -> dict[str, Any]:
    return {"value": value, "ci95": [low, high], "n": 100}


def about(name: str, scheme: str, size: int) -> dict[str, Any]:
    shared = {"device": "cpu", "threads": 2, "kv_type": "f16", "build": "b"}
    return {"path": f"{name}.gguf", "name": name, "scheme": scheme, "bytes": size, "fingerprint": name, **shared}


MACHINE = {"cpu": "A <CPU>", "cores": 2, "memory_bytes": 8e9, "python": "3.11", "system": "Linux", "packages": {"rdkit": "1"}}


def latency() -> dict[str, Any]:
    def model(name: str, scheme: str, size: int, speed: float) -> dict[str, Any]:
        def spread(value: float) -> dict[str, float]:
            return {"median": value, "p5": value, "p95": value}

        decode = [{"samples": n, "tokens_per_s": spread(speed * n**0.5), "peak_rss_bytes": size} for n in (1, 32)]
        times = {"load_s": spread(1.0), "prefill": {"tokens_per_s": spread(100.0)}, "ttft_ms": spread(30.0)}
        memory = {"peak_rss_bytes": 2 * size, "peak_gpu_bytes": 0, "others_share": 0.5}
        return {**about(name, scheme, size), **times, **memory, "decode": decode, "task": None, "rounds": []}

    models = [model("big", "bf16", 3_000_000_000, 10.0), model("small", "q4_k_m", 620_000_000, 19.0)]
    return {"schema": 1, "kind": "latency", "date": "d", "machine": MACHINE, "rounds": 3, "settings": {}, "models": models}


def accuracy() -> dict[str, Any]:
    kld = {name: estimate(0.02, 0.01, 0.03) for name in ("mean", "median", "p90", "p99", "p99_9", "max")}
    tokens: dict[str, Any] = {"n_tokens": 900, "n_texts": 30, "kld": kld}
    tokens |= {"same_top1": estimate(0.91, 0.9, 0.92), "ppl_ratio": estimate(1.01, 1.0, 1.02)}
    tokens |= {"ppl": estimate(2.02, 2.0, 2.04), "ppl_baseline": estimate(2.0, 2.0, 2.0)}
    tokens |= {"delta_p": {"mean": estimate(0.0, -0.1, 0.1), "rms": estimate(0.02, 0.01, 0.03)}}
    flips = {"both": 80, "lost": 9, "gained": 2, "neither": 9, "mcnemar_p": 0.01}
    change = {"change": estimate(-0.003, -0.009, 0.003), "flips": flips | {"mcnemar_p": 0.3}}
    worse = {"change": estimate(-0.05, -0.08, -0.02), "flips": flips}
    task: dict[str, Any] = {"rows": 10, "answers": 80, "rows_without_answer": 0, "validity": estimate(0.9, 0.88, 0.92)}
    task |= {"top": {"1": estimate(0.3, 0.2, 0.4), "10": estimate(0.5, 0.4, 0.6)}, "round_trip": None}
    against = {"validity": change, "top": {"1": worse}, "same_text": estimate(0.5, 0.4, 0.6)}
    small = {**about("small", "q4_k_m", 620_000_000), **tokens, "modalities": {"molecule": tokens}, "texts_left_out": 0}
    small["tasks"] = {"retro": {**task, "against_baseline": against}}
    baseline = {**about("big", "bf16", 3_000_000_000), "tasks": {"retro": task}}
    found = {"schema": 1, "kind": "accuracy", "date": "d", "machine": MACHINE, "settings": {"seed": 0, "data_sha256": None}}
    return {**found, "baseline": baseline, "models": [small], "left_out": []}


def test_the_examples_here_are_such_documents() -> None:
    check_schema(latency())
    check_schema(accuracy())


def test_documents_are_read_back_as_they_were_written() -> None:
    assert (
        AccuracyResult.from_dict(accuracy()).to_dict() == accuracy()
        and LatencyResult.from_dict(latency()).to_dict() == latency()
    )


@pytest.mark.parametrize(
    ("change", "p", "word"),
    [
        (estimate(-0.013, -0.027, -0.003), 0.125, "no difference shown"), (estimate(-0.013, -0.027, -0.003), 0.01, "worse"),
        (estimate(0.013, 0.003, 0.027), 0.01, "better"), ({**estimate(1, 0, 0), "ci95": None}, 0.01, "no difference shown"),
    ],
)  # fmt: skip
def test_a_few_flips_are_no_verdict(change: dict[str, Any], p: float, word: str) -> None:
    flips = {"both": 0, "lost": 0, "gained": 0, "neither": 0, "mcnemar_p": p}
    assert verdict_on(Change.from_dict({"change": change, "flips": flips})) == word


@pytest.fixture
def results(tmp_path: Path) -> list[Path]:
    paths = [tmp_path / "latency.json", tmp_path / "accuracy.json"]
    for path, document in zip(paths, (latency(), accuracy()), strict=True):
        path.write_text(json.dumps(document))
    return paths


def test_the_verdict_in_plain_words(results: list[Path]) -> None:
    report = read_results(results)
    (line,) = [line for line in report.lines if not line.baseline]
    assert verdict(line, report.baseline) == (
        "q4_k_m: 0.62 GB, 1.9× the speed of bf16 for one answer, 1.9× the speed of bf16 for 32 answers at once, the same top "
        "token in 91.0 % of places, retro validity −0.3 points [−0.9, +0.3]: no difference shown, retro top-1 −5.0 points "
        "[−8.0, −2.0]: worse."
    )
    assert points(Estimate(0.0, -0.0001, 0.012, 100)) == "0.0 points [0.0, +1.2]"


def test_tables_and_markdown(results: list[Path]) -> None:
    report = read_results(results)
    speed, loss, tasks, details = tables(report)
    assert ["retro", "top-1 lost / gained, p", "", "9 / 2, 0.01"] in details.rows
    assert all(len(row) == len(table.columns) for table in (speed, loss, tasks, details) for row in table.rows)
    assert tasks.columns[3:] == ["retro valid", "retro top-1", "retro top-10"] and tasks.rows[0][3:] == [
        "90.0 %",
        "30.0 %",
        "50.0 %",
    ]
    text = markdown(report)
    assert "busy: other programs took up to 50 %" in text
    widths = [line.count("|") for line in text.splitlines() if line.startswith("|")]
    assert widths[0] == widths[1] == widths[2]


class Checked(HTMLParser):
    """Every tag closed in order, nothing fetched from anywhere."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert not {"src", "href", "onload", "onclick"} & {name for name, _ in attrs} and tag not in ("script", "link", "img")
        if tag not in VOID - {"i"}:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in VOID

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.mark.slow
def test_the_page_is_whole_and_needs_no_network(results: list[Path], logos: Callable[..., Run], tmp_path: Path) -> None:
    out = tmp_path / "r.html"
    found = logos("bench", "report", *results, "-o", out)
    assert found.code == 0, found.err
    page = out.read_text()
    parser = Checked()
    parser.feed(page)
    assert parser.open == [] and "http" not in page and "@import" not in page and "A &lt;CPU&gt;" in page
    assert page.count("<svg") == 7 and "On this machine, for retro: bf16; no smaller file is known" in page
    assert "nan" not in re.sub("[a-z]*nano[a-z]*", "", page)
    assert logos("bench", "report", *results, "-o", tmp_path / "r.md").code == 0


def models(*found: tuple[str, int, float, float, float]) -> list[dict[str, Any]]:
    """(scheme, MB, divergence, change of top-1 in points, half of its interval)."""
    flips = {"both": 0, "lost": 0, "gained": 0, "neither": 0, "mcnemar_p": 1.0}
    documents = []
    for scheme, size, divergence, change, half in found:
        one = accuracy()["models"][0] | about(scheme, scheme, size * 1_000_000)
        one["kld"] = {**one["kld"], "mean": estimate(divergence, 0.9 * divergence, 1.1 * divergence)}
        interval = estimate(change / 100, (change - half) / 100, (change + half) / 100)
        top = {"change": interval, "flips": flips, "n_for_1_point": 4321}
        against = {"same_text": None, "validity": top, "top": {"1": top}}
        one["tasks"] = {"retro": {**one["tasks"]["retro"], "against_baseline": against}}
        documents.append(one)
    return documents


def test_the_front_and_the_advice(tmp_path: Path) -> None:
    """q4_0 is larger than q4_k_m and loses more; q5 is the smallest whose interval ends within a point."""
    found = models(("q8", 1600, 1e-4, 0.1, 0.4), ("q5", 1000, 2e-3, -0.3, 0.5), ("q4", 960, 5e-3, -0.6, 0.5),
                   ("q4_0", 970, 9e-3, -1.9, 0.6))  # fmt: skip
    (tmp_path / "a.json").write_text(json.dumps({**accuracy(), "models": found}))
    speeds = latency()
    speeds["models"][1] = speeds["models"][1] | about("q8", "q8", 1_600_000_000)
    report = read_results([tmp_path / "a.json"])
    tokens, top = losses(report)
    assert tokens.log and (top.task, top.figure) == ("retro", "top-1")
    assert [one.label for one in front(files(report, tokens))] == ["bf16", "q8", "q5", "q4"]
    assert [one.label for one in front(files(report, top))] == ["q8", "q5", "q4"]  # q8 gains and is smaller than bf16
    assert advice(report) == [
        "For retro: q5, 1.00 GB, the smallest that is known to lose less than a point of top-1 (−0.3 points [−0.8, +0.2])."
    ]
    (panel,) = front_panels(files(report, top), top, 0)
    assert panel.count("<circle") == 5 and panel.count('class="o') == 2 and panel.count('class="whisker ') == 4
    assert all(f">{label}</text>" in panel for label in ("bf16", "q8", "q5", "q4", "q4_0"))
    (tmp_path / "l.json").write_text(json.dumps(speeds))
    timed = read_results([tmp_path / "a.json", tmp_path / "l.json"])
    (one,) = advice(timed)
    assert one.startswith("On this machine, for retro: q5, 1.00 GB, the smallest")
    left, right = front_panels(files(timed, tokens), tokens, 32)
    assert left.count("<circle") == 5 and right.count("<circle") == 2  # of these two were timed
    unsure = models(("q8", 1600, 1e-4, 0.1, 2.0), ("q4", 960, 5e-3, -3, 2.0))
    (tmp_path / "a.json").write_text(json.dumps({**accuracy(), "models": unsure}))
    assert advice(read_results([tmp_path / "a.json"])) == [
        "For retro: bf16; no smaller file is known to lose less than a point of top-1 (10 rows; about 4,321 would tell)."
    ]


def test_speed_counts_for_the_front(tmp_path: Path) -> None:
    """A larger file that loses more stays on the front if it is the fastest, and the advice names a faster one."""
    found = models(("q8", 1600, 1e-4, 0.0, 0.4), ("q5", 1000, 2e-3, -0.3, 0.5))
    (tmp_path / "a.json").write_text(json.dumps({**accuracy(), "models": found}))
    timed = latency()
    pattern = timed["models"][0]
    rates = {"bf16": ("big", 3000, 10.0), "q8": ("q8", 1600, 30.0), "q5": ("q5", 1000, 20.0)}
    timed["models"] = []
    for scheme, (name, size, rate) in rates.items():
        spread = {"median": rate, "p5": 0.9 * rate, "p95": 1.1 * rate}
        decode = [{"samples": n, "tokens_per_s": spread, "peak_rss_bytes": 1} for n in (1, 32)]
        timed["models"].append({**pattern, **about(name, scheme, size * 1_000_000), "decode": decode})
    (tmp_path / "l.json").write_text(json.dumps(timed))
    report = read_results([tmp_path / "a.json", tmp_path / "l.json"])
    top = losses(report)[1]
    assert [one.label for one in front(files(report, top))] == ["q8", "q5"]
    _, speed = front_panels(files(report, top), top, 32)
    assert speed.count('class="whisker ') == 3 + 2  # every speed has an interval, and the loss of two
    told = (
        "On this machine, for retro: q5, 1.00 GB, 2× the speed of bf16, the smallest that is known to lose less than a point of"
        " top-1 (−0.3 points [−0.8, +0.2]); q8 writes 1.5× as fast, 1.60 GB."
    )
    assert advice(report) == [told]
    assert "q8 writes 1.5× as fast" in markdown(report)


@pytest.mark.slow
def test_what_is_no_result(results: list[Path], logos: Callable[..., Run], tmp_path: Path) -> None:
    other, cut = tmp_path / "o.json", tmp_path / "c.json"
    other.write_text('{"schema": 1}')
    cut.write_text(results[0].read_text()[:100])
    damaged = tmp_path / "damaged.json"
    damaged.write_text(json.dumps({**latency(), "models": [{"name": 1}]}))
    elsewhere, seeded = tmp_path / "elsewhere.json", tmp_path / "seeded.json"
    elsewhere.write_text(json.dumps({**latency(), "machine": {**MACHINE, "cpu": "B"}}))
    seeded.write_text(json.dumps({**accuracy(), "settings": {"seed": 1, "data_sha256": None}}))
    for arguments, code, said in (
        ((other, "-o", "r.html"), 1, "no result of logos bench"),
        ((cut, "-o", "r.html"), 1, "not JSON"),
        ((damaged, "-o", "r.html"), 1, "damaged result"),
        ((results[0], results[0], "-o", "r.html"), 1, "is there twice"),
        ((results[0], elsewhere, "-o", "r.html"), 1, "machine cpu is another than in"),
        ((results[1], seeded, "-o", "r.html"), 1, "setting seed is another than in"),
        ((tmp_path / "none", "-o", "r.html"), 1, "No such file"),
        ((results[0], "-o", tmp_path / "r.pdf"), 2, ".html or .md"),
    ):
        found = logos("bench", "report", *arguments)
        assert found.code == code and said in found.err and found.err.count("\n") == 1, found.err


def test_axes_and_marks() -> None:
    axis = Scale([-6.2, 4.0], 0, 100)
    assert 0.0 in axis.ticks() and axis.place(axis.low) == 0 and axis.place(axis.high) == 100
    log = Scale([2e-4, 3e-2], 0, 100, log=True)
    assert log.ticks() == pytest.approx([1e-4, 1e-3, 1e-2, 1e-1]) and log.place(0.0) == 0
    assert Scale([5.0], 0, 1).ticks() and Scale([], 0, 1, log=True).ticks()
    ratio = RatioScale([4.0, 14.6], 0, 100)
    assert ratio.ticks() == pytest.approx([4, 5, 6, 8, 10, 15]) and 0 < ratio.place(4.0) < 10 and 90 < ratio.place(14.6) < 100
    assert ratio.place(8) - ratio.place(4) == pytest.approx(ratio.place(12) - ratio.place(6))
    assert lines([(0, [(1, 5.0)]), (3, [(1, 5.0), (8, 7.0)])], "t", "x", "y").count('class="line') == 2
    assert bars([("g", [Bar("a", -1, -2, 0), Bar("b", 2, 1, 3, 1)])], "t", "x").count("<rect") == 2
