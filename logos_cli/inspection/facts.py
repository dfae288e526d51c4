"""An inspection in words: a name and a text for each thing worth knowing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from logos_cli.inspection.inspection import Inspection
from logos_cli.system.quantities import size

_PROVENANCE = {"quantized_from": "made from", "calibrated_on": "calibrated", "license": "licence"}


def facts(found: Inspection) -> Iterator[tuple[str, str]]:
    """Give (name, text) of each, in the order in which they are shown."""
    shape, vocabulary = found.architecture, found.vocabulary
    kind = {"gguf": "GGUF file", "onnx": "ONNX folder"}.get(found.format, "checkpoint")
    yield "kind", f"{kind}, {size(found.bytes)}"
    yield "scheme", f"{found.scheme}, {found.bits_per_weight:.2f} bits a weight"
    layers, hidden, ffn, heads, kv_heads, context, theta = (
        grouped(shape[name]) for name in ("layers", "hidden", "ffn", "heads", "kv_heads", "context", "rope_theta")
    )
    yield (
        "model",
        (
            f"{shape['name']}: {found.parameters:,} parameters, {layers} layers, hidden {hidden}, FFN {ffn}, {heads} heads, "
            f"{kv_heads} key-value heads"
            + (f", {shape['experts']} experts, {shape['experts_used']} a token" if shape.get("experts") else "")
            + (", head tied to the embedding" if shape["tied_head"] else "")
        ),
    )
    scaling = "" if shape["rope_scaling"] == "none" else f", {shape['rope_scaling']} scaling"
    yield "context", f"{context} tokens; rope theta {theta}{scaling}"
    bos = {True: "; BOS is prepended", False: "; no BOS", None: ""}[vocabulary.adds_bos]
    yield "vocabulary", f"{vocabulary.size:,} ids, {vocabulary.kind}{bos}"
    total = len(vocabulary.markers) + len(vocabulary.missing)
    lacking = f", missing: {' '.join(vocabulary.missing)}" if vocabulary.missing else ""
    yield "markers", f"{len(vocabulary.markers)} of {total} are one token each{lacking}"
    reserved = f" and {vocabulary.reserved} reserved" if vocabulary.reserved else ""
    yield "other added", (" ".join(vocabulary.other) or "none") + reserved
    if found.sampling:
        yield "sampling", f"its own settings for {', '.join(found.sampling)}"
    for name, value in found.provenance.items():
        yield _PROVENANCE.get(name, name.replace("_", " ")), str(value)
    if found.fingerprint:
        yield "fingerprint", found.fingerprint
    for file in found.files:
        yield "file", f"{file['name']}, {file['size']:,} bytes"
    yield "checked", ", ".join(found.checks) or "nothing"
    for problem in found.problems:
        yield "DAMAGED", problem


def grouped(value: Any) -> str:
    """Give a number with its thousands apart; what another program wrote in its place as it is."""
    if isinstance(value, (int, float)):
        return f"{value:,.0f}"
    return "unknown" if value is None else str(value)[:40]
