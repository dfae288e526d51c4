"""`logos pull` against a hub on this machine: the real command, real HTTP, and everything that goes wrong on the way."""

from __future__ import annotations

import fcntl
import json
import os
import re
import signal
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, suppress
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from builders import Run, write_checkpoint
from hub_server import COMMIT, REPO, Hub, describe, files_of
from processes import AT_ONCE, LOGOS, PATIENCE, ended, running, wait_until
from tokenizers import Tokenizer

from logos_cli.errors import OutputError
from logos_cli.models.checkpoint import Checkpoint
from logos_cli.models.hub.fetch import claimed, read_manifest, verify_manifest

NAME = "LOGOS-pretrain-1B"
COMMAND = [*LOGOS, "pull"]
README = b"---\nlicense: cc-by-4.0\n---\n# LOGOS\n"
AWAY = {"pytorch_model.bin": b"pickle", "modeling.py": b"code", "onnx/model.onnx": b"other", "original/model.safetensors": b"x"}


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder of its own, and nothing of the user's Hugging Face settings."""
    for name in [name for name in os.environ if name.startswith(("HF_", "HUGGING")) or name.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    monkeypatch.setenv("HF_HUB_DISABLE_TELEMETRY", "1")
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    return tmp_path / "work"


@pytest.fixture
def hub(home: Path, tiny: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    with Hub({"README.md": README, **files_of(tiny), **AWAY}) as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.address)
        yield hub


def start(*arguments: str, **env: str) -> AbstractContextManager[subprocess.Popen[str]]:
    return running("pull", *arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env={**os.environ, **env})


def end(child: subprocess.Popen[str], within: float = PATIENCE) -> Run:
    out, err = child.communicate(timeout=within)
    return Run(child.returncode, out, err)


def pull(*arguments: str, **env: str) -> Run:
    with patch.dict(os.environ, env):
        return ended("pull", *arguments)


def shell(script: str) -> Run:
    done = subprocess.run(["bash", "-c", script], check=False, capture_output=True, text=True, timeout=PATIENCE)
    return Run(done.returncode, done.stdout, done.stderr)


def failed(run: Run, code: int = 1) -> str:
    """The one line of a command that failed; on stderr nothing of huggingface_hub's own, on stdout nothing at all."""
    *before, last = run.err.splitlines()
    assert (run.code, run.out) == (code, "") and last.startswith("logos: "), run
    assert all(line.startswith(("LOGOS-Hub/", "  ", "licence of")) for line in before), run
    return last


def partial(folder: Path) -> Path | None:
    return next(iter(folder.glob("model.safetensors.*.partial")), None)


@pytest.mark.slow
def test_fetch_check_and_fetch_nothing_again(hub: Hub, home: Path, tiny: Path) -> None:
    hub.token = "hf_secret"
    first = pull(HF_TOKEN="hf_secret")
    assert (first.code, first.out) == (0, NAME + "\n"), first
    assert "licence of the weights: cc-by-4.0" in first.err and f"next: logos convert {NAME} -o" in first.err
    assert files_of(home / NAME) == {
        "README.md": README, **files_of(tiny), "logos-manifest.json": (home / NAME / "logos-manifest.json").read_bytes()
    }  # fmt: skip
    assert {r.token for r in hub.requests if not r.host.startswith("localhost")} == {"hf_secret"}
    assert [(r.host.partition(":")[0], r.token) for r in hub.large()] == [("localhost", None)], "no token for another host"

    manifest = read_manifest(home / NAME)
    assert manifest and (manifest.repo, manifest.revision, manifest.commit) == (REPO, "main", COMMIT)
    assert (manifest.license, manifest.endpoint) == ("cc-by-4.0", hub.address.removeprefix("http://"))
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", manifest.date)
    assert {f.name for f in manifest.files} == {"README.md", *files_of(tiny)}
    assert verify_manifest(home / NAME, manifest) == []

    hub.requests.clear()
    again = pull("--json", HF_TOKEN="hf_secret")
    document = json.loads(again.out)
    assert (document["folder"], document["fetched"], document["commit"]) == (NAME, [], COMMIT)
    assert len(hub.requests) == 1 and "nothing to fetch" in again.err and read_manifest(home / NAME) == manifest


@pytest.mark.slow
def test_the_folder_goes_straight_into_convert(hub: Hub, home: Path) -> None:
    logos = " ".join(LOGOS)
    done = shell(f'{logos} convert "$({logos} pull --revision {COMMIT} -o "my model")" -o m.gguf --type f32')
    assert done.code == 0 and (home / "m.gguf").exists(), done
    assert "next: logos convert 'my model' -o" in done.err


@pytest.mark.slow
def test_shards_on_a_terminal(hub: Hub, home: Path, tokenizer: Tokenizer, tmp_path: Path) -> None:
    """Both parts and their index; our bar, and none of huggingface_hub's."""
    hub.files, hub.pace = files_of(write_checkpoint(tmp_path / "sharded", tokenizer, shards=2)), 0.01
    command = f"stty cols 80 rows 24; {' '.join(COMMAND)}"
    done = shell(f"script -qec '{command}' /dev/null")
    assert done.code == 0 and "━" in done.out and "%|" not in done.out, done.out
    assert len(Checkpoint.open(home / NAME).tensors) == 21 and len(hub.large()) == 2


@pytest.mark.slow
def test_a_cut_connection_and_a_run_that_goes_on(hub: Hub, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hub.cut_after, hub.down_after_cut = 1_500_000, True
    line = failed(pull())
    assert "run the same command again, it goes on where it stopped" in line and "localhost" not in line
    there = partial(home / NAME)
    assert there and not (home / NAME / "model.safetensors").exists() and read_manifest(home / NAME) is None
    stopped = there.stat().st_size
    assert stopped >= 1 << 20 and f"after {stopped:,} of" in line

    with Hub(hub.files) as up:
        run = pull(HF_ENDPOINT=up.address)
    assert run.code == 0 and [r.range for r in up.large()] == [f"bytes={stopped}-"]
    assert files_of(home / NAME)["model.safetensors"] == hub.files["model.safetensors"] and partial(home / NAME) is None


@pytest.mark.slow
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_stopped_by_a_signal(hub: Hub, home: Path, number: signal.Signals, code: int) -> None:
    hub.stall_after = 1_500_000
    with start() as child:
        wait_until(lambda: (there := partial(home / NAME)) and there.stat().st_size, child)
        child.send_signal(number)
        run = end(child, AT_ONCE)
    assert (run.code, run.out) == (code, "")
    assert (run.err.splitlines()[-1] == "logos: interrupted") == (code == 130) and "Traceback" not in run.err
    assert not (home / NAME / "model.safetensors").exists() and read_manifest(home / NAME) is None
    if code == 130:
        hub.stall_after, hub.ranges = 0, False  # a server that cannot go on in the middle sends everything again
        assert pull().code == 0 and files_of(home / NAME)["model.safetensors"] == hub.files["model.safetensors"]
        assert any(request.range for request in hub.large())


@pytest.mark.slow
@pytest.mark.parametrize("name", ["model.safetensors", "config.json"])
def test_wrong_content_is_deleted(hub: Hub, home: Path, name: str) -> None:
    hub.wrong = name
    line = failed(pull())
    stated = describe(name, hub.files[name])
    found = describe(name, hub.content(name))
    hashes = [d["lfs"]["sha256"] if "lfs" in d else d["blobId"] for d in (found, stated)]
    assert f"{NAME}/{name}: " in line and f" {hashes[0]}, the hub states {hashes[1]}; what came is deleted" in line
    assert not (home / NAME / name).exists() and not list((home / NAME).glob("*.partial"))
    hub.wrong = ""
    assert name == "config.json" or pull().code == 0


REFUSALS: dict[str, tuple[dict[str, Any], list[str], str]] = {
    "no repository": ({}, ["someone/else"], "has no someone/else for you; check the name"),
    "gated": ({"gated": 403}, [], f"is gated: accept its terms on http://127.0.0.1:PORT/{REPO}, then run `hf auth login`"),
    "more bytes": ({"longer": "model.safetensors"}, [], "more bytes came than the "),
    "huge": ({"stated": lambda d: d["siblings"][0].update(size=10**17)}, [], "100,000,000.00 GB needed, "),
}


@pytest.mark.slow
def test_refusals(home: Path, tiny: Path) -> None:
    """Each in one line, no weights left behind. All at once: most of the time is Python's start."""
    files, pulls = {"README.md": README, **files_of(tiny), **AWAY}, []
    with ExitStack() as stack:
        for name, (faults, arguments, says) in REFUSALS.items():
            hub = stack.enter_context(Hub(files, **faults))
            child = stack.enter_context(start(*arguments, "-o", name, HF_ENDPOINT=hub.address))
            pulls.append((name, hub, says, child))
        for name, hub, says, child in pulls:
            line = failed(end(child))
            assert says.replace("PORT", hub.address.rpartition(":")[2]) in line, (name, line)
            assert name == "more bytes" or not (hub.large() or (home / name).exists()), name
            assert not list(home.glob(f"{name}/model*")), name


@pytest.mark.slow
def test_no_network(hub: Hub, home: Path, tmp_path: Path) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        nowhere = f"http://127.0.0.1:{unused.getsockname()[1]}"
        line = failed(pull(HF_ENDPOINT=nowhere))
        assert "(Connection refused); try again, or on another machine open " + f"{nowhere}/{REPO}/tree/main" in line
        assert "logos convert FOLDER -o OUT.gguf" in line and not (home / NAME).exists()
        assert pull().code == 0
        hub.requests.clear()
        run = pull(HF_ENDPOINT=nowhere)
        assert (run.code, run.out) == (0, NAME + "\n") and "Connection refused" in run.err and "is complete as of" in run.err
        (home / NAME / "config.json").write_text("{}")
        assert f"{NAME}/config.json: 2 bytes, " in failed(pull(HF_HUB_OFFLINE="1"))
        line = failed(pull("--revision", "v9", HF_HUB_OFFLINE="1"))
        assert "(HF_HUB_OFFLINE is set); try again" in line and not hub.requests


@pytest.mark.slow
def test_hugging_faces_cache_is_used(hub: Hub, home: Path, tiny: Path, tmp_path: Path) -> None:
    """What another program has fetched is copied if it is right; without a network its place is told."""
    cache = tmp_path / "hf" / "hub" / f"models--{REPO.replace('/', '--')}"
    snapshot = cache / "snapshots" / COMMIT
    snapshot.mkdir(parents=True)
    (cache / "refs").mkdir()
    (cache / "refs" / "main").write_text(COMMIT)
    for name in ("config.json", "model.safetensors"):
        (snapshot / name).write_bytes((tiny / name).read_bytes())
    assert f"logos convert {snapshot} -o OUT.gguf" in failed(pull(HF_HUB_OFFLINE="1"))
    assert pull().code == 0 and not hub.large()
    (snapshot / "model.safetensors").write_bytes(bytes((tiny / "model.safetensors").stat().st_size))
    assert pull("-o", "other").code == 0 and len(hub.large()) == 1


@pytest.mark.slow
def test_what_was_there_is_not_lost(hub: Hub, home: Path) -> None:
    """Only a file that came from this repository gives way to another revision of it."""
    (home / NAME).mkdir()
    (home / NAME / "model.safetensors").write_bytes(b"fine-tuned")
    assert f"{NAME}/model.safetensors is there and not the hub's (10 bytes, " in failed(pull())
    (home / NAME / "model.safetensors").unlink()
    hub.files["special_tokens_map.json"] = b"{}"
    assert pull().code == 0 and (home / NAME / "special_tokens_map.json").exists()
    hub.commit, hub.files["README.md"] = COMMIT[::-1], README + b"More."
    del hub.files["special_tokens_map.json"]
    run = pull("--json")
    assert json.loads(run.out)["fetched"] == ["README.md"] and (home / NAME / "README.md").read_bytes() == README + b"More."
    assert not (home / NAME / "special_tokens_map.json").exists(), "gone on the hub, unchanged here"
    manifest = home / NAME / "logos-manifest.json"
    manifest.write_text(manifest.read_text().replace(REPO, "someone/else"))
    assert f"{NAME} holds someone/else; choose another folder with -o" in failed(pull())
    manifest.write_text("{")
    assert pull().code == 0 and read_manifest(home / NAME)


@pytest.mark.slow
def test_an_unsupported_architecture_costs_no_gigabytes(hub: Hub, home: Path) -> None:
    config = json.loads(hub.files["config.json"]) | {"architectures": ["GptOssForCausalLM"]}
    hub.files["config.json"] = json.dumps(config).encode()
    line = failed(pull())
    assert "'GptOssForCausalLM'" in line and "its weights were not fetched" in line and not hub.large()


@pytest.mark.slow
def test_outputs_that_cannot_be(hub: Hub, home: Path) -> None:
    (home / "file").write_text("")
    for folder, says in (
        ("file", "file is a file; name a folder"),
        ("no/where", "no is not a folder"),
        ("file/x", "file/x: Not a"),
    ):
        with pytest.raises(OutputError, match=says), claimed(Path(folder), lambda: None):
            pass
    line = failed(shell(f"ulimit -f 1500; exec {' '.join(COMMAND)}"))
    assert "File too large; what was fetched stays, run the same command again" in line
    full = shell(f"{' '.join(COMMAND)} > /dev/full")
    assert full.code == 1 and full.err.splitlines()[-1] == "logos: No space left on device"


@pytest.mark.slow
def test_a_second_pull_waits_for_the_first(hub: Hub, home: Path) -> None:
    (home / NAME).mkdir()
    handle = os.open(home / NAME, os.O_RDONLY)
    fcntl.flock(handle, fcntl.LOCK_EX)
    with start() as child:
        assert child.stderr
        assert "another logos pull is at work there" in child.stderr.readline()
        os.close(handle)
        assert end(child).code == 0


@pytest.mark.slow
def test_a_tls_peer_that_closes_at_once(home: Path) -> None:
    """OpenSSL then writes into a closed socket: SIGPIPE would end the command without a word."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def hang_up() -> None:
            with suppress(OSError):
                while True:
                    server.accept()[0].close()

        threading.Thread(target=hang_up, daemon=True).start()
        line = failed(pull(HF_ENDPOINT=f"https://127.0.0.1:{server.getsockname()[1]}"))
    assert "cannot be reached" in line
    assert "SSL_CERT_FILE=/nope is not there" in failed(pull(SSL_CERT_FILE="/nope", HF_ENDPOINT="https://127.0.0.1:9"))


@pytest.mark.slow
def test_a_file_of_the_users_that_looks_like_a_partial_one(hub: Hub, home: Path) -> None:
    (home / NAME).mkdir()
    (home / NAME / "run.20261123.partial").write_text("mine")
    assert pull().code == 0
    assert (home / NAME / "run.20261123.partial").read_text() == "mine"
