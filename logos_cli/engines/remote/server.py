"""What a server says of itself and of the model that it is asked for, and what follows for the answers."""

from __future__ import annotations

import hashlib
import http.client
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from logos_cli.engines.remote.client import KEY, Client, Refused
from logos_cli.errors import EngineError

# What servers that are known call themselves in `owned_by`.
_NAMES = {"llamacpp": "llama-server", "vllm": "vLLM", "logos": "logos serve"}
UNKNOWN_CONTEXT = 1 << 31  # tokens, where a server does not say: it will refuse what is too long


@dataclass(frozen=True)
class Server:
    """`context` in tokens; `stated` is what it says of the model, besides times."""

    model: str
    kind: str
    context: int
    stated: dict[str, Any]

    @property
    def name(self) -> str:
        return _NAMES.get(self.kind, self.kind or "an unknown server")

    @property
    def known(self) -> bool:
        """Whether its log-probabilities are known to be natural, and of raw logits."""
        return self.kind in _NAMES

    def fingerprint(self, base: str) -> str:
        """The one that logos serve tells; else of address, name and what the server says: its weights are not seen."""
        if isinstance(told := self.stated.get("fingerprint"), str):
            return told
        return hashlib.sha256(repr((base, self.model, sorted(self.stated.items()))).encode()).hexdigest()

    def limits(self) -> tuple[str, ...]:
        """What is promised of a model file and not of this server."""
        only_files = "score, bench and beam search need a model file"
        if self.kind == "logos":
            return (
                "seeds are asked for question by question: other texts than the same model gives as a file",
                only_files,
            )
        return (
            "a text may depend on what else the server answers at the time: the same run can give other texts",
            "seeds are the server's own: other texts than the same model gives as a file",
            f"log-probabilities are {self.name}'s, of raw logits as it documents; null where it tells none"
            if self.known
            else "log-probabilities are null: of this server it is not known what they are of",
            "the fingerprint is of the address and of what the server says of the model, not of its weights",
            only_files,
        )


def asked_server(client: Client) -> Server:
    """Ask for the models and find the one of the address. Raises EngineError if the server is away or has no such model."""
    address, wanted = client.address, client.address.model
    try:
        listed = client.ask(f"{address.base}/models").get("data")
    except Refused as error:
        if error.status in (401, 403):
            raise EngineError(f"{address.host}: {error.status}, {error.said}; put its key into ${KEY}") from None
        if error.status != 404 or wanted is None:
            raise EngineError(
                f"{address.base}/models: {error.status}, {error.said}; an address is http://host:port/v1#model"
            ) from None
        listed = None  # not every server has that list
    except (OSError, http.client.HTTPException) as error:
        why = getattr(error, "reason", error)
        raise EngineError(f"{address.host} cannot be reached ({why}); is the server running there?") from None
    models = [one for one in listed if isinstance(one, dict) and isinstance(one.get("id"), str)] if listed else []
    names = [one["id"] for one in models]
    if wanted is None and len(models) != 1:
        raise EngineError(f"{address.base} has {shown(names)}; name one: {address.base}#{names[0] if names else 'MODEL'}")
    found = next((one for one in models if wanted in (None, one["id"], *_aliases(one))), None)
    if found is None and models:
        raise EngineError(f"{address.base} has no model {wanted}, but {shown(names)}")
    return described(found or {"id": wanted})


def _aliases(entry: dict[str, Any]) -> Sequence[str]:
    """Other names that llama-server knows a model by; a file's name stands for its path."""
    listed = entry.get("aliases")
    return [str(one) for one in listed] if isinstance(listed, list) else []


def described(entry: dict[str, Any]) -> Server:
    meta = entry["meta"] if isinstance(entry.get("meta"), dict) else {}
    places = (entry.get("max_model_len"), meta.get("n_ctx"), entry.get("context"))  # vLLM, llama-server, logos serve
    context = next((place for place in places if type(place) is int and place > 0), UNKNOWN_CONTEXT)
    stated = {name: meta[name] for name in ("n_vocab", "n_params", "size", "ftype") if name in meta}
    stated |= {name: entry[name] for name in ("scheme", "fingerprint") if name in entry}
    return Server(str(entry["id"]), str(entry.get("owned_by") or ""), context, stated)


def shown(names: Sequence[str]) -> str:
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "") if names else "no models"
