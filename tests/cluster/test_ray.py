"""`--ray` on real clusters of this machine: the bytes of one process, whatever dies on the way."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from builders import Run

ray = pytest.importorskip("ray")
# Ray's own warnings are not ours to mend.
pytestmark = [pytest.mark.integration, pytest.mark.filterwarnings("ignore")]

DRUGS = Path(__file__).parents[2] / "examples" / "drugs.smi"
SMALL = ("CC(=O)Oc1ccccc1C(=O)O aspirin\nxx bad\n\nCC(=O)Nc1ccc(O)cc1 paracetamol\n" + "CCO |$R1;;$| ethanol\n") * 3


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """A head without room for workers, and two nodes with one processor each."""
    from ray.cluster_utils import Cluster

    os.environ |= {"RAY_worker_niceness": "0", "RAY_USAGE_STATS_ENABLED": "0", "RAY_raylet_start_wait_time_s": "300"}
    made = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
    for _ in range(2):
        made.add_node(num_cpus=1)
    made.wait_for_nodes()
    yield made
    made.shutdown()


@pytest.fixture
def many(tmp_path: Path) -> Path:
    """Rows for a run that lasts long enough to be disturbed."""
    path = tmp_path / "many.smi"
    path.write_text(DRUGS.read_text() * 6)
    return path


def given(rows: Path, model: Path, *more: str) -> list[str]:
    return ["generate", "retro", str(rows), "-m", str(model), "--threads", "1", *(more or ("-n", "4")), "-o"]


def start(arguments: list[str], **how: Any) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-m", "logos_cli", *arguments], stderr=subprocess.PIPE, text=True, **how)


def written(out: Path, least: int = 20) -> None:
    """Wait for some records in OUT.partial."""
    partial = out.with_name(out.name + ".partial")
    deadline = time.monotonic() + 300
    while not partial.exists() or partial.read_bytes().count(b"\n") < least:
        assert time.monotonic() < deadline, "no records"
        time.sleep(0.02)


def workers() -> list[int]:
    """Processes of Ray that hold an actor."""
    found = []
    for entry in Path("/proc").iterdir():
        with suppress(OSError):
            if entry.name.isdigit() and (entry / "cmdline").read_bytes().startswith(b"ray::Worker"):
                found.append(int(entry.name))
    return found


def gone(seconds: float = 60) -> bool:
    """Whether all workers end within `seconds`."""
    deadline = time.monotonic() + seconds
    while workers() and time.monotonic() < deadline:
        time.sleep(0.1)
    return not workers()


@pytest.mark.parametrize(
    "more, form",
    [(("-n", "3"), "jsonl"), (("--top", "2", "-n", "6"), "csv"), (("--decode", "beam", "--top", "2", "--shard", "1/2"), "smi")],
)
def test_the_bytes_of_one_process(
    logos_here: Callable[..., Run], cluster: Any, nano_int4: Path, tmp_path: Path, more: tuple[str, ...], form: str
) -> None:
    rows = tmp_path / "rows.smi"
    rows.write_text(SMALL)
    words = given(rows, nano_int4, *more, "--format", form)
    plain, out = tmp_path / f"plain.{form}", tmp_path / f"out.{form}"
    alone = logos_here(*words, plain)
    assert alone.code == 0, alone.err
    many = logos_here(*words, out, "--ray", cluster.address)
    assert many.code == 0, many.err
    assert out.read_bytes() == plain.read_bytes()
    assert out.with_name(out.name + ".run").read_bytes() == plain.with_name(plain.name + ".run").read_bytes()
    assert many.err.splitlines()[-1].split("; ")[:-1] == alone.err.splitlines()[-1].split("; ")[:-1]
    assert gone()


def test_a_worker_and_then_a_node_die(
    logos_here: Callable[..., Run], cluster: Any, nano_int4: Path, many: Path, tmp_path: Path
) -> None:
    words = given(many, nano_int4)
    assert logos_here(*words, tmp_path / "plain.jsonl").code == 0
    out = tmp_path / "out.jsonl"
    child = start([*words, str(out), "--ray", cluster.address])
    written(out)
    os.kill(workers()[0], signal.SIGKILL)
    written(out, 200)
    cluster.remove_node(next(iter(cluster.worker_nodes)), allow_graceful=False)  # the head, which Ray needs, is none of these
    _, told = child.communicate(timeout=300)
    cluster.add_node(num_cpus=1)
    assert child.returncode == 0, told
    assert told.count("was lost, another is started") >= 2, told
    assert out.read_bytes() == (tmp_path / "plain.jsonl").read_bytes()


@pytest.mark.parametrize("number, code", [(signal.SIGKILL, -9), (signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_the_driver_dies_and_goes_on(
    logos_here: Callable[..., Run], cluster: Any, nano_int4: Path, many: Path, tmp_path: Path, number: int, code: int
) -> None:
    words = given(many, nano_int4, "--top", "2", "-n", "4")
    assert logos_here(*words, tmp_path / "plain.jsonl").code == 0
    out = tmp_path / "out.jsonl"
    child = start([*words, str(out), "--ray", cluster.address])
    written(out)
    child.send_signal(number)
    _, told = child.communicate(timeout=100)
    assert child.returncode == code and "Traceback" not in told, told
    # Where workers are slow to start, that is said before.
    last = {signal.SIGINT: "logos: interrupted", signal.SIGTERM: "logos: stopped by SIGTERM"}.get(signal.Signals(number))
    assert last is None or told.splitlines()[-1] == last, told
    assert not out.exists() and gone(), "its workers end with it"
    # Here the first half was written by a cluster, the second by one process.
    assert logos_here(*words, out, "--resume").code == 0
    assert out.read_bytes() == (tmp_path / "plain.jsonl").read_bytes()


def in_session(leader: int) -> list[str]:
    """The processes of a terminal's session, those left out that have ended."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            state, _, _, session = (entry / "stat").read_text().rpartition(")")[2].split()[:4]
            if session == str(leader) and state != "Z":
                found.append((entry / "cmdline").read_text()[:80])
    return found


def test_ctrl_c_in_a_terminal(nano_int4: Path, many: Path, tmp_path: Path) -> None:
    """It goes to all processes of the session, the cluster's own ones too, and none is left."""
    out = tmp_path / "out.jsonl"
    child = start([*given(many, nano_int4, "--top", "2", "-n", "4"), str(out), "--ray", "local"], start_new_session=True)
    written(out)
    assert any("raylet" in one for one in in_session(child.pid)), in_session(child.pid)
    os.killpg(child.pid, signal.SIGINT)
    _, told = child.communicate(timeout=300)
    assert child.returncode == 130 and told.splitlines()[-1] == "logos: interrupted" and "Traceback" not in told, told
    deadline = time.monotonic() + 60
    while (left := in_session(child.pid)) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not left and not out.exists() and out.with_name("out.jsonl.partial").stat().st_size


def test_a_run_of_one_process_goes_on_here(
    logos_here: Callable[..., Run], cluster: Any, nano_int4: Path, many: Path, tmp_path: Path
) -> None:
    words = given(many, nano_int4, "--top", "2", "-n", "8")
    assert logos_here(*words, tmp_path / "plain.jsonl").code == 0
    out = tmp_path / "out.jsonl"
    child = start([*words, str(out)])
    written(out)
    child.kill()
    child.communicate()
    assert logos_here(*words, out, "--resume", "--ray", cluster.address).code == 0
    assert out.read_bytes() == (tmp_path / "plain.jsonl").read_bytes()


def test_a_shipped_model_is_the_model(
    logos_here: Callable[..., Run], cluster: Any, nano_int4: Path, tmp_path: Path, private_cache: Path
) -> None:
    rows = tmp_path / "rows.smi"
    rows.write_text("CCO x\n" * 3)
    words = given(rows, nano_int4, "-n", "2")
    assert logos_here(*words, tmp_path / "plain.jsonl").code == 0
    assert logos_here(*words, tmp_path / "out.jsonl", "--ray", cluster.address, "--ship").code == 0
    assert (tmp_path / "out.jsonl").read_bytes() == (tmp_path / "plain.jsonl").read_bytes()
    (copy,) = private_cache.glob(f"logos-cli/shipped/*/{nano_int4.name}")
    assert copy.read_bytes() == nano_int4.read_bytes()
    copy.write_bytes(b"damaged")
    assert logos_here(*words, tmp_path / "again.jsonl", "--ray", cluster.address, "--ship").code == 0
    assert copy.read_bytes() == nano_int4.read_bytes()


def test_a_cluster_of_its_own(logos_here: Callable[..., Run], tmp_path: Path) -> None:
    """`--ray local`, the word nano, rows through a pipe, and nothing left of it afterwards."""
    command = [sys.executable, "-m", "logos_cli", "generate", "retro", "-n", "2", "--ray", "local", "--workers", "2"]
    done = subprocess.run(command, input=SMALL, capture_output=True, text=True, check=False, timeout=500)
    assert done.returncode == 0, done.stderr
    assert done.stdout == logos_here("generate", "retro", "-n", "2", stdin=SMALL).out
    assert gone()


def test_what_goes_wrong_is_one_line(logos_here: Callable[..., Run], cluster: Any, nano_int4: Path, tmp_path: Path) -> None:
    rows = tmp_path / "rows.smi"
    rows.write_text("CCO x\n")
    for words, code, told in (
        (("-m", tmp_path / "none.gguf", "--ray", cluster.address), 1, "none.gguf: No such file"),
        (
            ("-m", nano_int4, "--ray", "127.0.0.1:1"),
            1,
            "no Ray cluster answers ([Errno 111] Connection refused)",
        ),
        (("-m", nano_int4, "--ray", "127.0.0.1:99999"), 1, "--ray 127.0.0.1:99999: no Ray cluster answers"),
        (("-m", nano_int4, "--ray", "ray://127.0.0.1:1"), 2, "Ray's client protocol is not used"),
        (("-m", nano_int4, "--ray", cluster.address, "--threads", "2"), 2, "no node of the cluster has more than 1 CPUs"),
        (("-m", nano_int4, "--ray", cluster.address, "--device", "cuda"), 1, "no node of the cluster has a GPU"),
    ):
        found = logos_here("generate", "retro", rows, *words)
        assert found.code == code and told in found.err.splitlines()[-1], found.err
        assert found.err.count("\n") == 1 and not found.out
    assert gone()
