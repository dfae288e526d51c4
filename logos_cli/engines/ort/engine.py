"""ONNX folders on ONNX Runtime: no torch, no transformers. Needs the extra `onnx`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from logos_cli.chemistry.alphabet import Grammar
from logos_cli.engines.batching import BatchingEngine
from logos_cli.engines.engine import EngineInfo, EngineSettings
from logos_cli.engines.ort.context import OnnxContext, first_line
from logos_cli.errors import EngineError, ModelFileError
from logos_cli.models.gguf_header import TRIM_IDS
from logos_cli.models.onnx_folder import OnnxFolder
from logos_cli.models.onnx_model import GRAPH
from logos_cli.models.tokens import Tokens
from logos_cli.system.interrupt import heard, left_behind
from logos_cli.system.threads import chosen_threads

CUDA = "CUDAExecutionProvider"


class OnnxEngine(BatchingEngine):
    """See `logos_cli.engines.engine.Engine`. Loading raises ModelFileError, opening a device that is not there EngineError."""

    def __init__(self, path: Path, settings: EngineSettings) -> None:
        super().__init__()
        self.path, self.settings = path, settings
        self.folder = folder = OnnxFolder.open(path)
        import onnxruntime

        self.device, self.card = choose_device(settings.device)
        self.threads = chosen_threads(settings.threads)
        onnxruntime.set_default_logger_severity(4)  # errors come as exceptions too, one line each
        self.session = self._load(onnxruntime)
        if self.device == "cuda" and CUDA not in self.session.get_providers():
            # The build has CUDA, this machine has not what it needs; ONNX Runtime then takes the CPU without a word.
            if settings.device != "auto":
                raise EngineError(
                    f"--device {settings.device}: ONNX Runtime cannot use CUDA here; check driver, CUDA, cuDNN: logos doctor"
                )
            settings.note("ONNX Runtime cannot use CUDA here; going on with the CPU")
            self.device = "cpu"
        if self.device == "cuda" and not folder.half:
            better = "--type f16" if folder.scheme == "f32" else f"--type {folder.scheme} --activations f16"
            settings.note(f"{path}: made for CPUs (float32), much of it will not run on the GPU; convert with {better}")
        self.vocabulary = folder.config.vocabulary
        self.tokens = Tokens(path, self.vocabulary)
        self.without_text = self.tokens.without_text
        self.grammar = Grammar(self.tokens.added) if TRIM_IDS in folder.properties else None
        self.info = EngineInfo(
            name=path.resolve().name,
            fingerprint=folder.fingerprint,
            scheme=folder.scheme,
            context=folder.config.context,
            device=f"cuda:{self.card}" if self.card else self.device,
            threads=self.threads,
            kv_type="f16" if folder.half else "f32",
            build=f"onnxruntime {onnxruntime.__version__}",
            sampling=folder.sampling,
        )

    def _load(self, onnxruntime: Any) -> Any:
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 4
        options.intra_op_num_threads = self.threads
        options.inter_op_num_threads = 1
        providers = [*([(CUDA, {"device_id": self.card})] if self.device == "cuda" else []), "CPUExecutionProvider"]
        try:
            # It reads and packs gigabytes, which takes seconds.
            path = str(self.path / GRAPH)
            return heard(lambda: onnxruntime.InferenceSession(path, options, providers=providers, enable_fallback=0))
        except Exception as error:  # noqa: BLE001  # ONNX Runtime's errors have no common class but this
            raise ModelFileError(f"{self.path}: ONNX Runtime cannot load it ({first_line(error)}); convert it again") from None

    def tokenize(self, text: str) -> tuple[int, ...]:
        return self.tokens.encode(text)

    def marker(self, name: str) -> int:
        return self.tokens.marker(name)

    def decode(self, tokens: Sequence[int]) -> str:
        return self.tokens.decode(tokens)

    def token_texts(self) -> list[str]:
        return self.tokens.texts()

    @property
    def end(self) -> int:
        return self.tokens.end_of_text()

    @property
    def end_tokens(self) -> frozenset[int]:
        return self.tokens.ends

    def open_context(self, streams: int, cells: int, outputs: int = 0) -> OnnxContext:
        config, half = self.folder.config, self.folder.half
        shape = (config.layers, config.kv_heads, config.head)
        return OnnxContext(self.session, streams, cells, shape, self.vocabulary, half, self.device, outputs, self.card)

    @property
    def kv_bytes_per_token(self) -> int:
        config = self.folder.config
        return 2 * config.layers * config.kv_heads * config.head * (2 if self.folder.half else 4)

    def close(self) -> None:
        if left_behind():
            return
        self.release()
        self.session = None


def choose_device(asked: str) -> tuple[str, int]:
    """(cpu or cuda, number of the card) for --device auto|cpu|cuda|cuda:N. Raises EngineError where CUDA is not there."""
    import onnxruntime

    there = CUDA in onnxruntime.get_available_providers()
    if asked.startswith("cuda") and not there:
        raise EngineError(
            f"--device {asked}: the installed onnxruntime {onnxruntime.__version__} has no {CUDA}; "
            "run: pip uninstall onnxruntime; pip install onnxruntime-gpu"
        )
    kind, _, number = asked.partition(":")
    return ("cuda" if kind != "cpu" and there else "cpu"), int(number or 0)
