"""Every scheme through llama.cpp's own quantizer, checked with the `gguf` package's dequantizer."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import gguf
import numpy as np
import pytest
from builders import Run, build_tokenizer, convert, write_checkpoint

from logos_cli.errors import LogosError, ModelFileError, UsageError
from logos_cli.models.gguf_header import read_header
from logos_cli.quant.quantize_gguf import planned_size, quantize_gguf
from logos_cli.quant.schemes import ALIASES, SCHEMES, scheme_named

# Root mean square error over the matrices' own root mean square, for normal weights.
ERROR = {
    "f32": 0,
    "f16": 1e-3,
    "bf16": 4e-3,
    "q8_0": 0.01,
    "q6_k": 0.03,
    "q5_k_m": 0.05,
    "q4_k_m": 0.1,
    "q4_0": 0.12,
    "iq4_xs": 0.1,
}


@pytest.mark.slow
@pytest.mark.parametrize("name", SCHEMES)
def test_every_scheme(nano_bf16: Path, tmp_path: Path, name: str) -> None:
    scheme = scheme_named(name)
    told: list[tuple[int, int]] = []
    out = tmp_path / "q.gguf"
    report = quantize_gguf(nano_bf16, out, scheme, None, lambda *p: told.append(p))
    written = read_header(out)
    assert report.bytes_after == written.size == out.stat().st_size
    assert abs(planned_size(nano_bf16, scheme).bytes_after - written.size) < 1000
    assert told[-1] == (len(written.tensors), len(written.tensors))
    assert written.text("logos.scheme") == name
    source = read_header(nano_bf16)
    assert written.text("logos.quantized_from") == source.fingerprint != written.fingerprint
    assert {w.name for w in report.wider} == {
        t.name for t in written.tensors if scheme.quantized and len(t.shape) > 1 and t.type != scheme.main
    }
    before = {t.name: gguf.dequantize(t.data, t.tensor_type) for t in gguf.GGUFReader(nano_bf16).tensors}
    for tensor in gguf.GGUFReader(out).tensors:
        old = before[tensor.name]
        new = gguf.dequantize(tensor.data, tensor.tensor_type)
        rms = float(np.sqrt(((new - old) ** 2).mean() / (old**2).mean()))
        assert rms <= (0 if tensor.data.ndim == 1 else ERROR[name]), tensor.name


@pytest.mark.slow
def test_rows_that_do_not_divide_are_reported(tmp_path: Path) -> None:
    folder = write_checkpoint(tmp_path / "c", build_tokenizer(), intermediate_size=320)
    source = convert(folder, tmp_path / "m.gguf", "bf16")
    report = quantize_gguf(source, tmp_path / "q.gguf", scheme_named("int4"), None, lambda *_: None)
    reasons = {w.name: w.reason for w in report.wider}
    assert reasons["blk.0.ffn_down.weight"] == "row length 320 is not divisible by 256"


def test_int8_and_int4_are_names() -> None:
    assert {name: scheme_named(name).name for name in ALIASES} == {"int8": "q8_0", "int4": "q4_k_m"}
    with pytest.raises(UsageError, match="one of int8, int4, f32"):
        scheme_named("int3")


def test_what_cannot_be_quantized(nano_int4: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match=r"already quantized \(q4_k_m\)"):
        quantize_gguf(nano_int4, tmp_path / "q.gguf", scheme_named("q8_0"), None, lambda *_: None)


@pytest.mark.slow
def test_a_full_disk_leaves_nothing(nano_bf16: Path) -> None:
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("needs /dev/full")
    with pytest.raises(LogosError):
        quantize_gguf(nano_bf16, full, scheme_named("q8_0"), None, lambda *_: None)


@pytest.mark.slow
def test_the_command_reports_and_writes_all_or_nothing(
    logos: Callable[..., Run], nano_bf16: Path, nano_int4: Path, tmp_path: Path
) -> None:
    out = tmp_path / "o.gguf"
    done = logos("quantize", nano_bf16, "-o", out, "--type", "int8", "--json")
    assert done.code == 0 and '"scheme": "q8_0"' in done.out and "bits a weight" in done.err
    refused = logos("quantize", nano_int4, "-o", tmp_path / "p.gguf", "--type", "int8")
    assert refused.code == 1 and refused.err.count("\n") == 1
    assert logos("quantize", nano_bf16, "-o", nano_bf16, "--type", "int8").code == 1
    assert [p.name for p in tmp_path.iterdir()] == ["o.gguf"]
