"""Checkpoint to ONNX in standard operators only, through optimum (extra `torch`): any runtime and optimum itself load it.

It is the slower graph (attention and rotary embedding in dozens of small operators, no shared KV cache), and this tool's own
engine does not run it. int8 is ONNX Runtime's dynamic quantization of the matrix products.
"""

from __future__ import annotations

import logging
import shutil
import warnings
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from logos_cli.errors import CheckpointError, MissingDependency
from logos_cli.models.checkpoint import Checkpoint
from logos_cli.models.hub.manifest import read_manifest
from logos_cli.models.onnx_model import GRAPH, load_onnx

PORTABLE = "logos.portable"


def load_optimum() -> Any:
    """optimum's exporter. Raises MissingDependency with the command that installs it."""
    load_onnx()
    try:
        from optimum.exporters.onnx import main_export
    except ImportError as error:
        raise MissingDependency(
            f"--portable exports through optimum ({error}); run: pip install 'logos-cli[torch,onnx]'"
        ) from None
    return main_export


def to_portable(checkpoint: Checkpoint, scheme: str, folder: Path) -> None:
    """Fill the empty `folder`; `scheme` is f32 or int8. Raises CheckpointError where optimum fails."""
    export = load_optimum()
    with TemporaryDirectory(dir=folder) as between, warnings.catch_warnings(), redirect_stdout(StringIO()):
        warnings.simplefilter("ignore")
        logging.disable(logging.WARNING)
        try:
            export(
                str(checkpoint.path), output=between, task="text-generation-with-past", library_name="transformers",
                device="cpu", dtype="fp32", do_validation=False,
            )  # fmt: skip
            if scheme == "int8":
                quantize_dynamic(Path(between))
        except (ValueError, RuntimeError, KeyError) as error:
            said = (str(error).splitlines() or [type(error).__name__])[0][:200]
            raise CheckpointError(f"{checkpoint.path}: optimum cannot export it ({said})") from error
        finally:
            logging.disable(logging.NOTSET)
        describe(Path(between) / GRAPH, checkpoint, scheme)
        for file in sorted(Path(between).iterdir()):
            shutil.move(file, folder / file.name)
    for name in ("logos_sampling.json", "LICENSE"):
        if (checkpoint.path / name).is_file():
            shutil.copyfile(checkpoint.path / name, folder / name)


def quantize_dynamic(folder: Path) -> None:
    """Replace the folder's model by its int8 version: weights a row of their own scale, activations scaled as they come."""
    from onnxruntime.quantization import QuantType, quantize_dynamic

    source, target = folder / "f32.onnx", folder / GRAPH
    total = sum(file.stat().st_size for file in folder.glob("model.onnx*"))
    target.rename(source)  # the data file keeps the name that the graph knows
    quantize_dynamic(
        source, folder / "int8.onnx", weight_type=QuantType.QInt8, per_channel=True, op_types_to_quantize=["MatMul"],
        use_external_data_format=total > 1 << 30, extra_options={"MatMulConstBOnly": True},
    )  # fmt: skip
    source.unlink()
    for file in folder.glob("model.onnx_data*"):
        file.unlink()
    (folder / "int8.onnx").rename(target)


def describe(path: Path, checkpoint: Checkpoint, scheme: str) -> None:
    """Write scheme and origin into the graph's metadata."""
    onnx = load_onnx()
    proto = onnx.load(str(path), load_external_data=False)
    properties = {"logos.scheme": scheme, PORTABLE: "standard operators"}
    if manifest := read_manifest(checkpoint.path):
        properties["logos.source"] = f"{manifest.repo}@{manifest.commit}"
    for key, value in properties.items():
        proto.metadata_props.add(key=key, value=value)
    path.write_bytes(proto.SerializeToString())
