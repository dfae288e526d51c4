"""Talking to a hub: names, settings, waiting, odd answers; the whole command is in test_hub.py."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from hub_server import COMMIT, REPO, Hub

from logos_cli.errors import HubError, MissingDependency, UsageError
from logos_cli.models.hub.connection import Growing, Repository, heard, lost
from logos_cli.models.hub.fetch import list_files


@pytest.fixture(autouse=True)
def no_memory_of_other_hubs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """huggingface_hub keeps a list that it fetches from the first hub it meets, whatever that is, in memory and in the user's
    cache; a hub that answers nonsense would be remembered by the tests after it."""
    monkeypatch.setattr("huggingface_hub.constants.AGENT_HARNESSES_PATH", str(tmp_path / "harnesses.json"), raising=False)
    if find_spec("huggingface_hub.utils._detect_agent"):
        monkeypatch.setattr("huggingface_hub.utils._detect_agent._registry", None)


@pytest.mark.parametrize(
    "name", ["https://huggingface.co/a/b", "a/../b", "a/b--c", "a/b/c", "a/", "/b", "a/b.", "é/b", "a/b\n"]
)
def test_names_that_are_no_repository(name: str) -> None:
    with pytest.raises(UsageError, match="is no repository; give OWNER/NAME"):
        Repository.named(name, "main")


def test_settings_that_cannot_be(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match="--revision is empty"):
        Repository.named(REPO, " ")
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://me:secret@mirror:8080")
    found = Repository.named(REPO, "main")
    assert (found.host, found.endpoint) == ("mirror:8080", "http://mirror:8080"), "no password in messages"
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "localhost:80")
    with pytest.raises(UsageError, match="HF_ENDPOINT is 'localhost:80'; give an address such as https"):
        Repository.named(REPO, "main")


@pytest.mark.slow
def test_no_answer_is_not_waited_for() -> None:
    began = time.monotonic()
    with pytest.raises(TimeoutError, match="nothing came for 0 s"):
        heard(lambda: time.sleep(5), 0.1, lambda: began)


def test_what_is_the_disks_and_what_is_the_networks() -> None:
    full = OSError(28, "No space left on device")
    assert lost(full, "cut", "again") is full
    assert (
        str(lost(ConnectionResetError(104, "Connection reset by peer"), "cut", "again"))
        == "cut (Connection reset by peer); again"
    )
    assert (
        str(lost(OSError("Consistency check failed: 3 of 4\nmore"), "cut", "x")) == "cut (Consistency check failed: 3 of 4); x"
    )
    assert isinstance(lost(ImportError("Using SOCKS proxy, but …"), "cut", "again"), MissingDependency)
    assert "HF_TOKEN" in str(lost(UnicodeEncodeError("ascii", "é", 0, 1, "no"), "cut", "again"))


def test_a_growing_file(tmp_path: Path) -> None:
    said: list[int] = []
    (tmp_path / "x").write_bytes(b"123")
    with Growing(tmp_path / "x", 5, said.append) as growing:
        growing.write(b"45")
        with pytest.raises(HubError, match="more bytes came than the 5 that the hub states"):
            growing.write(b"6")
        growing.seek(0)
        growing.truncate()
        growing.write(b"abcde")
    assert (tmp_path / "x").read_bytes() == b"abcde" and said == [3, 2, -5, 5]


@pytest.mark.parametrize(
    ("faults", "says"),
    [
        ({"commit": COMMIT[::-1]}, f"LOGOS-pretrain-1B has no revision '{COMMIT}'; see http://127.0.0.1:"),
        ({"token": "hf_good"}, "refuses your token; make a new one on http://127.0.0.1:"),
        ({"status": 503}, "(it answers with status 503); try again, or on another machine open http://127.0.0.1:"),
        ({"page": "<html>Welcome to our WiFi"}, "a login page of the network, or a wrong HF_ENDPOINT?); try again"),
        ({"page": "[]"}, "a login page of the network"),
        ({"cut_description": True}, "cannot be reached ("),
    ],
)
def test_answers_that_are_none(monkeypatch: pytest.MonkeyPatch, faults: dict[str, Any], says: str) -> None:
    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.setenv("HF_TOKEN", "hf_bad")
    with Hub({}, **faults) as hub:
        monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", hub.address)
        with pytest.raises(HubError, match=re.escape(says)) as caught:
            Repository.named(REPO, COMMIT).info()
    assert str(caught.value).isprintable()


def siblings(keep: Callable[[str], bool]) -> Callable[[dict[str, Any]], None]:
    return lambda d: d.update(siblings=[s for s in d["siblings"] if keep(s["rfilename"])])


@pytest.mark.parametrize(
    ("stated", "says"),
    [
        (lambda d: d.update(sha="main"), "states no commit"),
        (lambda d: d.update(siblings=7), "no safetensors weights"),
        (lambda d: d.update(siblings=[7]), "lists the file 'None'"),
        (siblings(lambda name: not name.endswith(".safetensors")), "only pickled weights, which can run code"),
        (siblings(lambda name: name != "tokenizer.json"), "has no tokenizer.json"),
        (lambda d: d["siblings"][1].pop("blobId"), "no size and hash of config.json"),
        (lambda d: d["siblings"][1].update(size=-1), "no size and hash of config.json"),
        (lambda d: d["siblings"][1].update(size="1"), "no size and hash of config.json"),
        (lambda d: [s["lfs"].update(sha256="0") for s in d["siblings"] if "lfs" in s], "no size and hash of model.safetensors"),
        (lambda d: d["siblings"].append({"rfilename": "model-2.safetensors"}), None),
        *(
            (lambda d, name=name: d["siblings"].append({"rfilename": name}), "which leaves its folder")
            for name in ("../model.safetensors", "a/../../b", "/etc/x", "..\\x", "C:x", "\\\\host\\x", "..")
        ),
    ],
)
def test_odd_lists(monkeypatch: pytest.MonkeyPatch, stated: Callable[[Any], None], says: str | None) -> None:
    """What a hub may list, over real HTTP; `says` None is a list that is good."""
    files = dict.fromkeys(("README.md", "config.json", "model.safetensors", "pytorch_model.bin", "tokenizer.json"), b"{}")
    monkeypatch.setenv("NO_PROXY", "*")
    with Hub(files, stated=stated) as hub:
        monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", hub.address)
        if says is None:
            names = [file.name for file in list_files(Repository.named(REPO, "main")).files]
            assert names == ["README.md", "config.json", "tokenizer.json", "model.safetensors"]
            return
        with pytest.raises(HubError, match=re.escape(says)) as caught:
            list_files(Repository.named(REPO, "main"))
        assert str(caught.value).isprintable()


def test_the_library_is_loaded_only_when_needed() -> None:
    code = "import sys; import logos_cli.commands.app, logos_cli.models.hub.fetch; print('huggingface_hub' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"
