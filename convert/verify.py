"""Read a written GGUF back: its table against the plan, its data against the checkpoint, its tokenizer against the original."""

from __future__ import annotations

import ctypes
import os
import random
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from logos_cli import engine_llamacpp_library as library
from logos_cli.alphabet import RESIDUES, lexable
from logos_cli.checkpoint import Checkpoint
from logos_cli.convert.to_gguf import PlannedTensor, Progress, data_of
from logos_cli.errors import ModelFileError, TokenizerError
from logos_cli.gguf_header import read_header
from logos_cli.grammar import MARKERS

# What grammar text is made of, and enough else to cross every branch of a split pattern.
_PIECES = (
    *MARKERS, "c1ccccc1", "C(=O)O", "[C@@H]", "[nH]", "N#N", "Cl", "Br", "[Na+].[Cl-]", "F/C=C\\F", "%12", "[13CH3:7]",
    "MKTAYIAKQR", "EVQLVESGG", "W", "ACDEFGHIKLMNPQRSTVWY", "[Zn][O]([Zn])([Zn])[Zn]", "=", "#", "(", ")", "1", "234", "56789",
    ".", ">>", " ", "  ", "\n", "\r\n", "\t", "don't", "I'LL", "naïve", "日本語", "Ωμέγα", "🧪", "x²", "_", "{}", "  \n x",
)  # fmt: skip


def texts(count: int) -> Iterator[str]:
    """Fixed pseudo-random texts from the pieces of the grammar and some that are not."""
    rng = random.Random(0)
    for _ in range(count):
        yield "".join(rng.choices(_PIECES, k=rng.randint(1, 24)))


def verify_data(path: Path, checkpoint: Checkpoint, planned: Sequence[PlannedTensor], progress: Progress) -> None:
    """Compare every byte of the file's tensors with the checkpoint's. Raises ModelFileError."""
    header = read_header(path)
    found = {tensor.name: tensor for tensor in header.tensors}
    if set(found) != {tensor.name for tensor in planned}:
        raise ModelFileError(f"{path}: the tensors read back are not those written; the disk may be failing")
    with path.open("rb") as stream:
        for tensor in planned:
            entry = found[tensor.name]
            if entry.shape != tuple(reversed(tensor.shape)) or entry.nbytes != tensor.nbytes:
                raise ModelFileError(f"{path}: tensor {tensor.name} read back has another shape; the disk may be failing")
            stream.seek(header.data_start + entry.offset)
            for piece in data_of(tensor, checkpoint.config):
                if stream.read(len(piece)) != piece:
                    raise ModelFileError(f"{path}: tensor {tensor.name} differs when read back; the disk may be failing")
                progress(len(piece))


def load_tokenizer(path: Path) -> Any:
    from tokenizers import Tokenizer

    try:
        return Tokenizer.from_file(str(path))
    except Exception as error:  # noqa: BLE001  # the only type that tokenizers raises
        raise TokenizerError(f"{path}: cannot be read ({error}); download it again") from None


def grammar_texts(count: int) -> Iterator[str]:
    """Those of `texts`' kind that stay within the grammar, so that a trimmed vocabulary has them."""
    rng = random.Random(1)
    smiles = [piece for piece in _PIECES if lexable(piece)]
    sequences = [piece for piece in _PIECES if RESIDUES.issuperset(piece)]
    for _ in range(count):
        parts = (rng.choices(rng.choice([smiles, sequences]), k=rng.randint(1, 12)) for _ in range(3))
        yield "".join(rng.choice(MARKERS) + "".join(part) for part in parts)


def verify_trim(original: Path, trimmed: Checkpoint, count: int = 1000) -> None:
    """Compare the cut tokenizer with the whole one on `count` texts of the grammar. Raises TokenizerError."""
    assert trimmed.kept is not None
    whole, cut = load_tokenizer(original / "tokenizer.json"), load_tokenizer(trimmed.path / "tokenizer.json")
    wanted = list(grammar_texts(count))
    for text, before, after in zip(wanted, whole.encode_batch(wanted), cut.encode_batch(wanted), strict=True):
        if before.ids != [trimmed.kept[number] for number in after.ids]:
            raise TokenizerError(
                f"{original / 'tokenizer.json'}: cut to the grammar it splits {text[:60]!r} differently; "
                "please report this vocabulary, and convert without --trim-vocab"
            )


def verify_tokenizer(path: Path, tokenizer_json: Path, trimmed: bool = False, count: int = 1000) -> None:
    """Tokenize `count` texts with `tokenizers` and with the GGUF. Raises TokenizerError for the first that differs."""
    reference = load_tokenizer(tokenizer_json)
    binding = library.load()
    params = binding.llama_model_default_params()
    params.vocab_only = True
    model = binding.llama_model_load_from_file(os.fsencode(path), params)
    if not model:
        raise ModelFileError(f"{path}: llama.cpp cannot load the vocabulary ({library.last_words()})")
    try:
        vocab = binding.llama_model_get_vocab(model)
        wanted = list(grammar_texts(count) if trimmed else texts(count))
        for text, encoded in zip(wanted, reference.encode_batch(wanted, add_special_tokens=False), strict=True):
            raw = text.encode("utf-8")
            buffer = (ctypes.c_int32 * (len(raw) + 2))()
            size = binding.llama_tokenize(vocab, raw, len(raw), buffer, len(buffer), False, True)
            if buffer[: max(size, 0)] != encoded.ids:
                raise TokenizerError(
                    f"{tokenizer_json}: llama.cpp splits {text[:40]!r} differently; please report this vocabulary"
                )
    finally:
        binding.llama_model_free(model)
