"""The GGUF against the checkpoint, read back by the `gguf` package: data, keys, tokenizer."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest
from builders import build_tokenizer, convert, tokens_of, write_checkpoint
from reference import frequencies, load_tensors

from logos_cli.chemistry.grammar import MARKERS
from logos_cli.convert.gguf_vocab import GgufVocab, read_vocab
from logos_cli.convert.to_gguf import plan, to_gguf
from logos_cli.convert.verify import verify_data, verify_tokenizer
from logos_cli.errors import CheckpointError, ModelFileError, TokenizerError
from logos_cli.models.architectures.llama import LLAMA
from logos_cli.models.checkpoint import Checkpoint
from logos_cli.models.gguf_header import read_header
from logos_cli.models.split_pattern import LLAMA3, QWEN2


def values(reader: gguf.GGUFReader, name: str) -> Any:
    tensor = next(t for t in reader.tensors if t.name == name)
    return gguf.dequantize(tensor.data, tensor.tensor_type).astype(np.float64).reshape(list(reversed(tensor.shape.tolist())))


def unpermuted(rows: Any, heads: int) -> Any:
    """From llama.cpp's interleaved rotary order back to the half-split one, by index rather than by reshape."""
    head = rows.shape[0] // heads
    order = [h * head + (i // 2) + (i % 2) * (head // 2) for h in range(heads) for i in range(head)]
    found = np.empty_like(rows)
    found[order] = rows
    return found


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["BF16", "F16", "F32"])
@pytest.mark.parametrize("scheme", ["bf16", "f16", "f32"])
def test_tensors_survive(tmp_path: Path, tokenizer: Any, dtype: str, scheme: str) -> None:
    folder = write_checkpoint(tmp_path / "c", tokenizer, dtype)
    reader = gguf.GGUFReader(convert(folder, tmp_path / "m.gguf", scheme))
    bits = {"f32": 0, "f16": 2**-11, "bf16": 2**-8}[scheme]
    for name, expected in load_tensors(folder).items():
        found = values(reader, LLAMA.gguf_name(name))
        if "q_proj" in name or "k_proj" in name:
            found = unpermuted(found, 4 if "q_proj" in name else 2)
        if scheme == dtype.lower() or scheme == "f32" or expected.ndim == 1:
            assert (found == expected).all(), name
        else:
            assert (np.abs(found - expected) <= np.abs(expected) * bits + 1e-7).all(), name


def test_keys(tiny: Path, tiny_gguf: Callable[[str], Path], tokenizer: Any) -> None:
    keys = read_header(tiny_gguf("bf16")).keys
    expected = {
        "general.architecture": "llama", "llama.block_count": 2, "llama.context_length": 1024,
        "llama.embedding_length": 256, "llama.feed_forward_length": 512, "llama.attention.head_count": 4,
        "llama.attention.head_count_kv": 2, "llama.rope.dimension_count": 64, "llama.attention.key_length": 64,
        "llama.rope.freq_base": 10000.0, "llama.vocab_size": tokenizer.get_vocab_size() + 3,
        "tokenizer.ggml.model": "gpt2", "tokenizer.ggml.pre": "llama-bpe", "tokenizer.ggml.add_bos_token": True,
        "tokenizer.ggml.bos_token_id": tokenizer.token_to_id("<|begin_of_text|>"),
        "tokenizer.ggml.eos_token_id": tokenizer.token_to_id("<|end_of_text|>"),
        "tokenizer.ggml.padding_token_id": tokenizer.token_to_id("<|eot_id|>"), "logos.scheme": "bf16",
    }  # fmt: skip
    assert {key: keys.get(key) for key in expected} == expected
    tokens, types = keys["tokenizer.ggml.tokens"], keys["tokenizer.ggml.token_type"]
    assert tokens[: tokenizer.get_vocab_size()] == [tokenizer.id_to_token(i) for i in range(tokenizer.get_vocab_size())]
    assert [types[tokens.index(marker)] for marker in MARKERS] == [3] * len(MARKERS)
    assert types[-3:] == [5, 5, 5], "embedding rows without a token are unused"
    assert len(keys["logos.fingerprint"]) == 64 and set(keys["logos.fingerprint"]) != {"0"}


def test_rope_factors_follow_the_formula(tiny: Path, tiny_gguf: Callable[[str], Path]) -> None:
    config = json.loads((tiny / "config.json").read_text())
    found = values(gguf.GGUFReader(tiny_gguf("bf16")), "rope_freqs.weight")
    expected = frequencies(config | {"rope_scaling": None}) / frequencies(config)
    assert np.allclose(found, expected, rtol=1e-6)
    assert len(set(found.round(4))) > 3, "the test must reach all three branches of the scaling"


@pytest.mark.slow
@pytest.mark.parametrize(
    "pattern, ignore_merges, name",
    [(LLAMA3, True, "llama-bpe"), (LLAMA3, False, "smaug-bpe"), (QWEN2, False, "qwen2"), (None, False, "gpt-2")],
)
def test_a_thousand_texts_tokenize_alike(tmp_path: Path, pattern: str | None, ignore_merges: bool, name: str) -> None:
    folder = write_checkpoint(tmp_path / "c", build_tokenizer(pattern, ignore_merges))
    out = convert(folder, tmp_path / "m.gguf", "bf16")
    assert read_header(out).text("tokenizer.ggml.pre") == name
    verify_tokenizer(out, tokens_of(folder), count=1000)


def test_a_wrong_tokenizer_is_noticed(tmp_path: Path) -> None:
    folder = write_checkpoint(tmp_path / "c", build_tokenizer(LLAMA3, True))
    out = convert(folder, tmp_path / "m.gguf", "bf16")
    other = write_checkpoint(tmp_path / "other", build_tokenizer(QWEN2, False))
    with pytest.raises(TokenizerError, match=r"llama\.cpp reads .* otherwise: its token [0-9]+ is '.*', in tokenizers '"):
        verify_tokenizer(out, tokens_of(other))
    document = json.loads((folder / "tokenizer.json").read_text())
    (folder / "tokenizer.json").write_text(json.dumps(document | {"post_processor": None}))
    with pytest.raises(TokenizerError, match=r"otherwise: its token 1 is '<.begin_of_text.>'"):
        verify_tokenizer(out, tokens_of(folder))


def test_unknown_vocabularies_are_refused(tmp_path: Path) -> None:
    odd = write_checkpoint(tmp_path / "odd", build_tokenizer(r"\w|\W", True))
    with pytest.raises(TokenizerError, match=r"unknown pre-tokenizer with ignore_merges, its pattern: \\w\|\\W"):
        read_vocab(Checkpoint.open(odd))
    lacking = write_checkpoint(tmp_path / "lacking", build_tokenizer(markers=tuple(m for m in MARKERS if m != "<Trans>")))
    assert (
        read_vocab(Checkpoint.open(lacking)).tokens.notes[0].startswith("no <Trans>: tasks that ask with them will be refused")
    )
    small = write_checkpoint(tmp_path / "small", build_tokenizer())
    document = json.loads((small / "tokenizer.json").read_text())
    document["model"]["vocab"]["CCCCCCCCCCCCCCCCCCCC"] = 99_999
    (small / "tokenizer.json").write_text(json.dumps(document))
    with pytest.raises(TokenizerError, match="has id 99999, but the embedding has"):
        read_vocab(Checkpoint.open(small))


def test_a_flipped_bit_is_noticed(tiny: Path, tmp_path: Path) -> None:
    out = convert(tiny, tmp_path / "m.gguf", "bf16")
    data = bytearray(out.read_bytes())
    data[-5000] ^= 1
    out.write_bytes(data)
    opened = Checkpoint.open(tiny)
    with pytest.raises(ModelFileError, match="differs when read back"):
        verify_data(out, opened, plan(opened, "bf16"), lambda _: None)


def test_unknown_tensors_have_no_place() -> None:
    with pytest.raises(CheckpointError, match=r"model\.layers\.0\.mlp\.router"):
        LLAMA.gguf_name("model.layers.0.mlp.router.weight")


def test_equal_checkpoints_have_equal_fingerprints(tiny: Path, tmp_path: Path) -> None:
    opened = Checkpoint.open(tiny)
    prints = [to_gguf(opened, read_vocab(opened), tmp_path / name, "bf16", lambda _: None) for name in "ab"]
    assert prints[0] == prints[1] == read_header(tmp_path / "a").fingerprint
    assert to_gguf(opened, read_vocab(opened), tmp_path / "c", "f16", lambda _: None) != prints[0]


def test_the_fingerprint_covers_what_changes_an_answer(tiny: Path, tmp_path: Path) -> None:
    opened = Checkpoint.open(tiny)

    def made(vocab: GgufVocab) -> str:
        return to_gguf(opened, vocab, tmp_path / "m", "bf16", lambda _: None)

    def other(**changes: int | None) -> GgufVocab:
        vocab = read_vocab(opened)
        for name, value in changes.items():
            setattr(vocab.tokens, name, value)
        return vocab

    vocab = read_vocab(opened)
    types = [1, *vocab.types[1:]] if vocab.types[0] != 1 else [3, *vocab.types[1:]]
    prints = [made(vocab), made(other(bos=None)), made(other(end=7)), made(replace(vocab, types=types))]
    assert len(set(prints)) == 4


@pytest.mark.peer
def test_equals_llama_cpps_own_converter(tmp_path: Path) -> None:
    """With the source of llama-cpp-python's sdist, torch and transformers at hand: same tensors, same keys."""
    source, folder = os.environ.get("LLAMA_CPP_SOURCE"), os.environ.get("LOGOS_PEER_CHECKPOINT")
    if not source or not folder:
        # That program refuses vocabularies it does not list, so the tiny checkpoint will not do.
        pytest.skip("set LLAMA_CPP_SOURCE (its folder), LOGOS_PEER_CHECKPOINT (one with the Llama-3 vocabulary)")
    python = os.environ.get("LLAMA_CPP_PYTHON", sys.executable)
    theirs, ours = tmp_path / "theirs.gguf", tmp_path / "ours.gguf"
    command = [python, f"{source}/convert_hf_to_gguf.py", folder, "--outfile", str(theirs), "--outtype", "bf16"]
    subprocess.run(command, check=True, capture_output=True)
    convert(Path(folder), ours, "bf16")
    a, b = read_header(ours), read_header(theirs)
    assert {t.name: (t.shape, t.type) for t in a.tensors} == {t.name: (t.shape, t.type) for t in b.tensors}
    free = ("general.name", "general.basename", "general.size_label", "general.sampling.", "logos.")
    keys = {key for key in {*a.keys, *b.keys} if not key.startswith(free)}
    assert {key for key in keys if a.keys.get(key) != b.keys.get(key)} == set()
    for tensor in a.tensors:
        other = next(t for t in b.tensors if t.name == tensor.name)
        with ours.open("rb") as left, theirs.open("rb") as right:
            left.seek(a.data_start + tensor.offset)
            right.seek(b.data_start + other.offset)
            assert left.read(tensor.nbytes) == right.read(other.nbytes), tensor.name
