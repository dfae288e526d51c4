"""The reference: a checkpoint through torch and transformers in float32, without any conversion of ours (extra `torch`).

Only measuring uses it. It is slow: answers of one prompt are written together, one prompt after the other.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from logos_cli.engines.engine import NO_NUMBERS, EngineInfo, EngineSettings, Generation, Request, Work
from logos_cli.engines.logits import log_sum_exp
from logos_cli.engines.reading import Pair, Text
from logos_cli.engines.sampling import Sampler, Sampling, uniforms
from logos_cli.errors import CheckpointError, EngineError, MissingDependency
from logos_cli.models.checkpoint import Checkpoint
from logos_cli.models.tokens import Tokens

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

_PIECE = 64  # positions whose logits are held at once


def load_torch() -> tuple[Any, Any]:
    """(torch, transformers). Raises MissingDependency with the command that installs them."""
    try:
        import torch
        import transformers
    except ImportError as error:
        raise MissingDependency(
            f"a checkpoint as baseline runs through torch ({error}); run: pip install torch 'transformers>=4.56', "
            "or convert it first: logos convert CHECKPOINT -o baseline.gguf --type f32"
        ) from None
    transformers.logging.set_verbosity_error()
    return torch, transformers


@dataclass
class _Answer:
    sample: int
    randoms: npt.NDArray[np.float64]
    tokens: list[int] = field(default_factory=list)
    logprob: float = 0.0
    finish: str = ""


class TorchEngine:
    """See `logos_cli.engines.engine.Engine`. Loading raises CheckpointError for a folder that is not a whole checkpoint."""

    def __init__(self, path: Path, settings: EngineSettings) -> None:
        checkpoint = Checkpoint.open(path)
        self.path, self.settings, self.work = path, settings, Work()
        self.torch, transformers = load_torch()
        self.device = self._device(settings.device)
        if settings.threads:
            self.torch.set_num_threads(settings.threads)
        try:
            self.model = (
                getattr(transformers, checkpoint.config.architecture.hf_class)
                .from_pretrained(path, dtype=self.torch.float32, local_files_only=True, use_safetensors=True)
                .to(self.device)
            )
        except (OSError, ValueError, RuntimeError) as error:
            raise CheckpointError(f"{path}: transformers cannot load it ({str(error).splitlines()[0][:200]})") from error
        self.model.eval()
        self.vocabulary = checkpoint.config.vocabulary
        self.tokens = Tokens(path, self.vocabulary)
        self.info = EngineInfo(
            name=path.resolve().name, fingerprint=self._fingerprint(checkpoint), scheme="f32 (torch)",
            context=checkpoint.config.context, device=self.device, threads=self.torch.get_num_threads(), kv_type="f32",
            build=f"torch {self.torch.__version__}, transformers {transformers.__version__}",
        )  # fmt: skip

    def _device(self, asked: str) -> str:
        if asked.startswith("cuda") and not self.torch.cuda.is_available():
            raise EngineError(
                f"--device {asked}: the installed torch sees no CUDA device; give --device cpu, or install torch for CUDA"
            )
        if asked == "auto":
            return "cuda" if self.torch.cuda.is_available() else "cpu"
        return asked

    def _fingerprint(self, checkpoint: Checkpoint) -> str:
        """Of the table of tensors and a few bytes of each: gigabytes are not read for it."""
        digest = hashlib.sha256()
        for name, tensor in sorted(checkpoint.tensors.items()):
            with tensor.path.open("rb") as stream:
                stream.seek(tensor.offset + tensor.nbytes // 2)
                digest.update(repr((name, tensor.shape, tensor.dtype, stream.read(min(64, tensor.nbytes // 2)))).encode())
        return digest.hexdigest()

    # Tokens

    def encode(self, text: str) -> tuple[int, ...]:
        return self.tokens.encode(text)

    def marker(self, name: str) -> int:
        return self.tokens.marker(name)

    @property
    def end(self) -> int:
        return self.tokens.end_of_text()

    def token_texts(self) -> list[str]:
        return self.tokens.texts()

    # Decoding

    def logits_pieces(self, tokens: Sequence[int]) -> Iterator[npt.NDArray[np.float32]]:
        torch, cache = self.torch, None
        for start in range(0, len(tokens), _PIECE):
            ids = torch.tensor([tokens[start : start + _PIECE]], device=self.device)
            found = self._forward(ids, cache)
            cache = found.past_key_values
            yield found.logits[0].float().cpu().numpy()

    def logits(self, tokens: Sequence[int]) -> npt.NDArray[np.float32]:
        import numpy as np

        return np.concatenate(list(self.logits_pieces(tokens)))

    def score(self, prompt: Sequence[int], continuation: Sequence[int]) -> npt.NDArray[np.float32]:
        import numpy as np

        text = Text.of((prompt, continuation), self.info.context)
        if text.first == text.length:
            return np.empty(0, np.float32)
        logits = self.logits(text.ids[:-1].tolist())[text.first :]
        raw = np.take_along_axis(logits, text.ids[text.first + 1 :, None], axis=1)[:, 0]
        return np.asarray(raw - log_sum_exp(logits), np.float32)

    def score_many(self, pairs: Iterable[Pair | None]) -> Iterator[npt.NDArray[np.float32] | None]:
        """One after the other: a reference need not be fast."""
        for pair in pairs:
            yield self.score(*pair) if pair else None

    def generate(
        self, requests: Iterable[Request | None], sampling: Sampling, stops: Sequence[str] | None, single: bool = False,
        beam: int = 0,
    ) -> Iterator[Generation | None]:  # fmt: skip
        ends = frozenset() if stops is None else self.tokens.ends | {self.marker(name) for name in stops}
        for request in requests:
            if request is None:
                yield None
                continue
            if beam or request.beam:
                raise EngineError(
                    f"{self.path}: a checkpoint has no beam search; convert it first: logos convert {self.path} -o m.gguf"
                )
            settings, stop = request.sampling or sampling, ends if request.stops is None else request.stops
            batch = self.settings.batch or 32
            for first in range(0, len(request.samples), batch):
                yield from self._write(request, request.samples[first : first + batch], settings, stop)

    def _write(
        self, request: Request, samples: Sequence[int], sampling: Sampling, ends: frozenset[int]
    ) -> Iterator[Generation]:
        """Answers of one prompt side by side; those that have ended stay in the batch until all have."""
        import numpy as np

        torch, sampler = self.torch, Sampler(sampling, without_text=self.tokens.without_text)
        budget = min(sampling.max_tokens, self.info.context - len(request.tokens))
        answers = [_Answer(sample, uniforms(sampling.seed, request.row, sample, budget)) for sample in samples]
        ids = torch.tensor([request.tokens] * len(answers), device=self.device)
        cache = None
        for step in range(budget):
            found = self._forward(ids, cache, logits_to_keep=1)
            cache = found.past_key_values
            logits = np.ascontiguousarray(found.logits[:, -1].float().cpu().numpy())
            seen = (
                [np.unique([*request.tokens, *answer.tokens]) for answer in answers] if sampling.repetition_penalty != 1 else []
            )
            tokens, logprobs = sampler.draw(logits, seen, np.array([answer.randoms[step] for answer in answers]))
            for answer, token, logprob in zip(answers, tokens.tolist(), logprobs.tolist(), strict=True):
                if not answer.finish and math.isnan(logprob):
                    answer.finish = NO_NUMBERS
                elif not answer.finish:
                    answer.tokens.append(token)
                    answer.logprob += logprob
                    answer.finish = "stop" if token in ends else "length" if step + 1 == budget else ""
            if all(answer.finish for answer in answers):
                break
            ids = torch.tensor(tokens[:, None], device=self.device)
            self.work.steps += 1
            self.work.rows += len(answers)
        self.work.tokens += sum(len(answer.tokens) for answer in answers)
        self.work.prompt_tokens += len(request.tokens)
        for answer in answers:
            written = tuple(answer.tokens)
            text = self.tokens.decode(written)
            yield Generation(request.row, answer.sample, text, written, answer.logprob, answer.finish, request.asker)

    def _forward(self, ids: Any, cache: Any, **options: Any) -> Any:
        try:
            with self.torch.inference_mode():
                return self.model(ids, past_key_values=cache, use_cache=True, **options)
        except RuntimeError as error:  # out of memory above all
            raise EngineError(f"{self.path}: torch failed ({str(error).splitlines()[0][:200]}); lower --batch?") from error

    def release(self) -> None:
        """Nothing is kept between calls."""

    def close(self) -> None:
        self.model = None
