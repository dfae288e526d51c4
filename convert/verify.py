"""Read a written model file back: its table and data against the checkpoint, its prompts against the original tokenizer's."""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from logos_cli.chemistry.alphabet import RESIDUES, lexable
from logos_cli.chemistry.grammar import MARKERS
from logos_cli.convert.to_gguf import PlannedTensor, Progress, data_of
from logos_cli.errors import ModelFileError, TokenizerError
from logos_cli.models.checkpoint import Checkpoint
from logos_cli.models.gguf_header import read_header
from logos_cli.models.tokens import Tokens

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


def grammar_texts(count: int) -> Iterator[str]:
    """Those of `texts`' kind that stay within the grammar, so that a trimmed vocabulary has them."""
    rng = random.Random(1)
    smiles = [piece for piece in _PIECES if lexable(piece)]
    sequences = [piece for piece in _PIECES if RESIDUES.issuperset(piece)]
    for _ in range(count):
        parts = (rng.choices(rng.choice([smiles, sequences]), k=rng.randint(1, 12)) for _ in range(3))
        yield "".join(rng.choice(MARKERS) + "".join(part) for part in parts)


def verify_trim(original: Tokens, trimmed: Checkpoint, count: int = 1000) -> None:
    """Compare the cut tokenizer with the whole one on `count` texts of the grammar. Raises TokenizerError."""
    assert trimmed.kept is not None
    cut = Tokens(trimmed.path, trimmed.config.vocabulary)
    wanted = list(grammar_texts(count))
    for text, before, after in zip(wanted, original.encode_all(wanted), cut.encode_all(wanted), strict=True):
        if before != tuple(trimmed.kept[number] for number in after):
            raise TokenizerError(
                f"{original.path}: cut to the grammar it splits {text[:60]!r} differently; "
                "please report this vocabulary, and convert without --trim-vocab"
            )


def verify_encodes(encode: Callable[[str], Sequence[int]], tokens: Tokens, what: str, trimmed: bool, count: int = 1000) -> None:
    """Compare `what`, a written model file that encodes with `encode`, with `tokens` of the checkpoint on `count` texts,
    specials included. Raises TokenizerError for the first that differs, with where and how."""
    wanted = list(grammar_texts(count) if trimmed else texts(count))
    for text, ids in zip(wanted, tokens.encode_all(wanted), strict=True):
        found = tuple(encode(text))
        if found == ids:
            continue
        at = next((i for i, (a, b) in enumerate(zip(ids, found, strict=False)) if a != b), min(len(ids), len(found)))
        theirs, ours = (
            tokens.tokenizer.decode(list(some[at : at + 1]), skip_special_tokens=False) or "nothing" for some in (ids, found)
        )
        raise TokenizerError(
            f"{tokens.path}: {what} reads {text[:60]!r} otherwise: its token {at + 1} is {ours!r}, in tokenizers {theirs!r}; "
            "please report this vocabulary"
        )


def verify_tokenizer(path: Path, tokens: Tokens, trimmed: bool = False, count: int = 1000) -> None:
    """`verify_encodes` of a written GGUF, and its ends and specials. Raises TokenizerError."""
    from logos_cli.engines.llamacpp import library
    from logos_cli.engines.llamacpp.tokens import LlamaTokens

    binding = library.load()
    params = binding.llama_model_default_params()
    params.vocab_only = True
    model = binding.llama_model_load_from_file(os.fsencode(path), params)
    if not model:
        raise ModelFileError(f"{path}: llama.cpp cannot load the vocabulary ({library.last_words()})")
    try:
        written = LlamaTokens(binding, model, read_header(path))
        verify_encodes(written.encode, tokens, "llama.cpp", trimmed, count)
        if written.ends != tokens.ends or written.without_text != tokens.without_text:
            raise TokenizerError(
                f"{tokens.path}: llama.cpp has other end tokens or other unused ids; please report this vocabulary"
            )
    finally:
        binding.llama_model_free(model)


def verify_onnx_tokens(folder: Path, tokens: Tokens, trimmed: bool = False, count: int = 1000) -> None:
    """`verify_encodes` of a written ONNX folder, and its ends. Raises TokenizerError."""
    written = Tokens(folder, tokens.vocabulary)
    verify_encodes(written.encode, tokens, "the written folder", trimmed, count)
    if written.ends != tokens.ends:
        raise TokenizerError(f"{tokens.path}: the written folder has other end tokens; please report this vocabulary")
