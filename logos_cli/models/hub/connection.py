"""Talking to a Hugging Face hub through huggingface_hub: what a repository states, a file's bytes, each failure as one line.

huggingface_hub's `http_get` carries the bytes, not its `hf_hub_download`: that one starts from zero after a cut (since
1.25 over HTTP, always over Xet), and these are gigabytes.
"""

from __future__ import annotations

import io
import logging
import os
import re
import time
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import Future, wait
from contextlib import contextmanager
from dataclasses import dataclass
from json import JSONDecodeError
from pathlib import Path
from threading import Thread
from typing import Any, TypeVar
from urllib.parse import quote, urlsplit

from logos_cli import __version__
from logos_cli.errors import HubError, HubUnreachable, LogosError, MissingDependency, UsageError

T = TypeVar("T")
Progress = Callable[[int], None]  # told bytes; negative ones where something is begun again
_NAME = re.compile(r"\w[\w.-]{0,95}/\w[\w.-]{0,95}(?<![.-])", re.ASCII)
_CERTIFICATES = ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
_AGAIN = "run the same command again, it goes on where it stopped"


def heard(work: Callable[[], T], patience: float, last: Callable[[], float]) -> T:
    """Do `work` in a thread: a name look-up in C is deaf to Ctrl-C for many seconds, waiting for a thread is not.

    Raises TimeoutError when nothing came for `patience` seconds after the time that `last` tells.
    """
    future: Future[T] = Future()

    def run() -> None:
        try:
            future.set_result(work())
        except BaseException as error:  # noqa: BLE001  # raised again where the result is asked for
            future.set_exception(error)

    Thread(target=run, daemon=True).start()
    while not wait([future], timeout=0.5).done:
        if time.monotonic() - last() > patience:
            raise TimeoutError(f"nothing came for {patience:.0f} s")
    return future.result()


class Growing(io.FileIO):
    """A file that is appended to, that takes no byte more than it should have, and says each one. Raises HubError."""

    def __init__(self, path: Path, size: int, progress: Progress) -> None:
        super().__init__(path, "ab")
        self.size, self.progress = size, progress
        self.last = time.monotonic()
        progress(self.tell())

    def write(self, data: Any) -> int:
        rest = memoryview(data)
        if self.tell() + len(rest) > self.size:
            raise HubError(f"{self.name}: more bytes came than the {self.size:,} that the hub states; nothing of it is used")
        while rest:
            rest = rest[super().write(rest) or 0 :]
        self.last = time.monotonic()
        self.progress(len(data))
        return len(data)

    def truncate(self, size: int | None = None) -> int:
        """What `http_get` does when a server cannot go on in the middle of a file."""
        before = os.fstat(self.fileno()).st_size
        after = super().truncate(size)
        self.progress(after - before)
        return after


@dataclass(frozen=True)
class Repository:
    """A repository at a revision (branch, tag or commit) on the hub that $HF_ENDPOINT names; `endpoint` is for showing."""

    name: str
    revision: str
    endpoint: str

    @classmethod
    def named(cls, name: str, revision: str) -> Repository:
        """Raises UsageError for what cannot be a repository's name."""
        if not _NAME.fullmatch(name) or "--" in name or ".." in name:
            raise UsageError(f"{name!r} is no repository; give OWNER/NAME, such as LOGOS-Hub/LOGOS-pretrain-1B")
        if not revision.strip():
            raise UsageError("--revision is empty; give a branch, a tag or a commit")
        try:
            from huggingface_hub import constants
            from huggingface_hub.utils import logging as hub_logging
        except ValueError as error:
            raise UsageError(f"one of the HF_… variables of the environment is no number: {error}") from error
        if not constants.ENDPOINT.startswith(("https://", "http://")):
            raise UsageError(
                f"HF_ENDPOINT is {constants.ENDPOINT!r}; give an address such as https://huggingface.co, or unset it"
            )
        hub_logging.set_verbosity(logging.CRITICAL)
        # Small pieces lose little in a cut, and move the bar on a slow line. hf_transfer (0.36) cannot resume.
        for setting, value in (("DOWNLOAD_CHUNK_SIZE", 1 << 20), ("HF_HUB_ENABLE_HF_TRANSFER", False)):
            setattr(constants, setting, value)
        return cls(name, revision, re.sub("//[^/]*@", "//", constants.ENDPOINT))

    @property
    def host(self) -> str:
        return urlsplit(self.endpoint).netloc

    def info(self) -> dict[str, Any]:
        """The hub's own description, with sizes and hashes. Raises HubUnreachable without a network, else HubError."""
        from huggingface_hub import constants
        from huggingface_hub.utils import build_hf_headers, get_session, hf_raise_for_status  # type: ignore[attr-defined]

        began, timeout = time.monotonic(), constants.HF_HUB_ETAG_TIMEOUT
        url = f"{constants.ENDPOINT}/api/models/{self.name}/revision/{quote(self.revision, safe='')}?blobs=true"

        def work() -> dict[str, Any]:
            headers = build_hf_headers(library_name="logos-cli", library_version=__version__)
            response = get_session().get(url, headers=headers, timeout=timeout)
            hf_raise_for_status(response)
            found = response.json()
            if not isinstance(found, dict):
                raise TypeError(f"a description is an object, not {type(found).__name__}")
            return found

        with self.lines(lambda: f"{self.host} cannot be reached", self.by_hand):
            # A host has many addresses, and each of them takes the whole timeout.
            return heard(work, 10 + 2 * timeout, lambda: began)

    def receive(self, name: str, commit: str, path: Path, size: int, progress: Progress) -> None:
        """Append to `path` what it lacks of its `size` bytes. Raises HubError, which says that a new run goes on."""
        from huggingface_hub import constants, hf_hub_url
        from huggingface_hub.file_download import http_get
        from huggingface_hub.utils import build_hf_headers, disable_progress_bars  # type: ignore[attr-defined]  # a lazy module

        url, patience = hf_hub_url(self.name, name, revision=commit), 20 + 2 * constants.HF_HUB_DOWNLOAD_TIMEOUT
        with Growing(path, size, progress) as growing:
            begun = growing.tell() > 0

            def work() -> None:
                headers = build_hf_headers(library_name="logos-cli", library_version=__version__)
                # Compressed on the way, a file could not be continued in its middle.
                headers["Accept-Encoding"] = "identity"
                http_get(url, growing, resume_size=growing.tell(), headers=headers, expected_size=size)

            def cut() -> str:
                return f"{path.parent / name}: the connection to {self.host} broke after {growing.tell():,} of {size:,} bytes"

            with self.lines(cut, lambda: _AGAIN):
                disable_progress_bars()
                try:
                    heard(work, patience, lambda: growing.last)
                except HubError:
                    growing.seek(0)
                    growing.truncate()
                    if not begun:
                        raise
                    # A server that sent everything where it was asked to go on: older `http_get` appends that.
                    heard(work, patience, lambda: growing.last)

    def cached(self, name: str, commit: str) -> Path | None:
        """The file in Hugging Face's own cache ($HF_HOME), where other programs may have put it."""
        from huggingface_hub import try_to_load_from_cache

        found = try_to_load_from_cache(self.name, name, revision=commit)
        return Path(found) if isinstance(found, str) else None

    def by_hand(self) -> str:
        """How to do without a network, as the end of a sentence."""
        config = self.cached("config.json", self.revision)
        if config and any((config.parent / n).exists() for n in ("model.safetensors", "model.safetensors.index.json")):
            return f"Hugging Face's cache on this machine has a copy, run: logos convert {config.parent} -o OUT.gguf"
        return (
            f"try again, or on another machine open {self.endpoint}/{self.name}/tree/{self.revision}, save config.json, "
            "tokenizer.json, tokenizer_config.json and model.safetensors (or all its parts and their index.json) into a "
            "folder, bring that here and run: logos convert FOLDER -o OUT.gguf"
        )

    @contextmanager
    def lines(self, cut: Callable[[], str], remedy: Callable[[], str]) -> Iterator[None]:
        """Turn every failure of the hub and of the network into a LogosError; the disk's own go on as OSError."""
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                yield
        except LogosError:
            raise
        except FileNotFoundError as error:
            # The network's own files, not ours: a certificate bundle that the environment names.
            named = next((f"{n}={os.environ[n]}" for n in _CERTIFICATES if os.environ.get(n)), error.filename or "a file")
            raise HubError(f"{cut()}: {named} is not there; correct that setting") from error
        except Exception as error:
            raise (self.refusal(error) or lost(error, cut(), remedy())) from error

    def refusal(self, error: Exception) -> LogosError | None:
        """What a hub that answers has against the request; None if the failure is another."""
        from huggingface_hub import errors, get_token

        page = f"{self.endpoint}/{self.name}"
        if isinstance(error, errors.GatedRepoError):
            return HubError(f"{self.name} is gated: accept its terms on {page}, then run `hf auth login` or set HF_TOKEN")
        if isinstance(error, errors.RepositoryNotFoundError):
            return HubError(f"{self.host} has no {self.name} for you; check the name, or set HF_TOKEN if it is private")
        if isinstance(error, errors.RevisionNotFoundError):
            return HubError(f"{self.name} has no revision {self.revision!r}; see {page}/commits for those it has")
        if isinstance(error, errors.DisabledRepoError):
            return HubError(f"{self.name} is disabled on {self.host}; see {page}")
        if not isinstance(error, errors.HfHubHTTPError):
            return None
        status = error.response.status_code
        if status in (401, 403):
            held = "refuses your token; make a new one" if get_token() else "wants a token; make one"
            return HubError(f"{self.host} {held} on {self.endpoint}/settings/tokens, then `hf auth login` or set HF_TOKEN")
        if isinstance(error, errors.EntryNotFoundError):
            return HubError(f"{self.host} lists {urlsplit(str(error.response.url)).path} but does not have it; try again later")
        if status == 404:
            return HubError(f"{self.host} has no {urlsplit(str(error.response.url)).path}; is HF_ENDPOINT right?")
        return None


def lost(error: Exception, cut: str, remedy: str) -> Exception:
    """The network's failure in one line; the error itself where it is the disk's."""
    chain: list[BaseException] = [error]
    while (cause := chain[-1].__cause__ or chain[-1].__context__) and cause not in chain:
        chain.append(cause)
    foreign = type(error).__module__ != "builtins"
    if isinstance(error, OSError) and error.errno and not foreign and not isinstance(error, (ConnectionError, TimeoutError)):
        return error
    if isinstance(error, ImportError):
        return MissingDependency(
            f"{cut}: the SOCKS proxy that the environment names needs one package more: pip install socksio"
        )
    if isinstance(error, UnicodeEncodeError):
        return HubError("HF_TOKEN, or the token of `hf auth login`, holds a character that no token has; copy it again")
    if type(error).__name__ == "OfflineModeIsEnabled":
        return HubUnreachable(f"{cut} (HF_HUB_OFFLINE is set); {remedy}")
    system = [e.strerror for e in chain if isinstance(e, OSError) and e.strerror]
    if isinstance(error, (JSONDecodeError, KeyError, TypeError, AttributeError)):
        reason = "what answers there is no hub: a login page of the network, or a wrong HF_ENDPOINT?"
    else:
        status = getattr(getattr(error, "response", None), "status_code", None)
        said = (str(error).splitlines() or [""])[0][:120]
        reason = f"it answers with status {status}" if status else system[-1] if system else said or type(error).__name__
    return HubUnreachable(f"{cut} ({reason}); {remedy}")
