"""A vocabulary cut to the grammar: the same tokens for every valid text, the same logits bit for bit, no text mangled."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from builders import BOS, PAD, Run, build_tokenizer, tokens_of, write_checkpoint
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import smiles
from tokenizers import AddedToken, Tokenizer

from logos_cli.chemistry.alphabet import in_grammar
from logos_cli.chemistry.grammar import MARKERS
from logos_cli.convert.gguf_vocab import read_vocab
from logos_cli.convert.onnx_target import convert_onnx
from logos_cli.convert.to_gguf import to_gguf
from logos_cli.convert.trim import Gathered, runs, trimmed
from logos_cli.convert.verify import grammar_texts, verify_tokenizer, verify_trim
from logos_cli.engines.engine import Engine
from logos_cli.errors import ForeignText, TokenizerError
from logos_cli.models.checkpoint import Checkpoint
from logos_cli.models.gguf_header import TRIM_IDS, read_header
from logos_cli.models.split_pattern import LLAMA3, QWEN2
from logos_cli.models.tokens import Tokens
from logos_cli.quant.quantize_gguf import quantize_gguf
from logos_cli.quant.schemes import scheme_named

KINDS = {"llama3": (LLAMA3, True), "smaug": (LLAMA3, False), "qwen": (QWEN2, False), "gpt2": (None, False)}


@pytest.fixture(scope="module", params=KINDS)
def checkpoint(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One of each kind of tokenizer.json, with a marker nobody knows and reserved tokens."""
    tokenizer = build_tokenizer(*KINDS[request.param])
    more = ["<Mystery>", *(f"<|reserved_special_token_{i}|>" for i in range(20))]
    tokenizer.add_special_tokens([AddedToken(name, normalized=False, special=True) for name in more])
    return write_checkpoint(tmp_path_factory.mktemp(request.param) / "checkpoint", tokenizer)


@pytest.fixture(scope="module")
def pair(checkpoint: Path) -> Any:
    """(the whole tokenizer, the cut one, the kept ids)."""
    with trimmed(Checkpoint.open(checkpoint)) as cut:
        yield (
            Tokenizer.from_file(str(checkpoint / "tokenizer.json")),
            Tokenizer.from_file(str(cut.path / "tokenizer.json")),
            cut.kept,
        )


def same(pair: Any, text: str) -> bool:
    whole, cut, kept = pair
    return bool(whole.encode(text).ids == [kept[number] for number in cut.encode(text).ids])


between = st.sampled_from([*MARKERS, "<Mystery>"])
sequences = st.lists(st.tuples(between, smiles | st.text("ACDEFGHIKLMNPQRSTVWYXUBZ", max_size=40)), max_size=4)


@pytest.mark.slow
@settings(max_examples=200)
@given(parts=sequences)
def test_every_valid_text_becomes_the_same_tokens(pair: Any, parts: list[tuple[str, str]]) -> None:
    assert same(pair, "".join(marker + text for marker, text in parts))


def test_texts_of_every_corner(pair: Any) -> None:
    for text in grammar_texts(400):
        assert same(pair, text)
    for text in (
        "[Zn][O]([Zn])([Zn])[Zn]",
        "N->[Pt]",
        "ACDEFGHIKLMNPQRSTVWY" * 20,
        "C" * 300,
        "%12%(100)",
        "[13C@@H]",
        "CCO.CC>",
    ):
        assert same(pair, f"<MoleculeS>{text}<MoleculeE>")


@pytest.mark.slow
def test_exactly_the_tokens_of_the_grammar_are_kept(checkpoint: Path, pair: Any) -> None:
    whole, cut, kept = pair
    table = {token: number for token, number in whole.get_vocab(with_added_tokens=False).items()}
    assert {"<Mystery>", BOS, PAD, *MARKERS} <= cut.get_vocab().keys()
    reserved = {number for token, number in whole.get_vocab().items() if "reserved" in token}
    plain = {number for token, number in table.items() if token.isascii() and in_grammar(token)}
    size = Checkpoint.open(checkpoint).config.vocabulary
    named = {number for token, number in whole.get_vocab().items() if token not in table} - reserved
    filling = set(kept) - plain - named
    assert plain | named <= set(kept) and len(filling) < 32 and len(kept) % 16 == size % 16 and list(kept) == sorted(kept)
    assert set(range(size - size % 16, size)) <= set(kept) and len(kept) < size - 300
    known = [(new, old) for new, old in enumerate(kept) if whole.id_to_token(old) is not None]
    assert len(known) > len(kept) - 4 and all(cut.id_to_token(new) == whole.id_to_token(old) for new, old in known)
    with trimmed(Checkpoint.open(checkpoint)) as found:
        config = json.loads((found.path / "config.json").read_text())
        assert kept[config["eos_token_id"]] == whole.token_to_id("<|end_of_text|>") and config["vocab_size"] == len(kept)
        assert whole.encode("C").ids[0] == kept[cut.encode("C").ids[0]] == whole.token_to_id(BOS)
        verify_trim(tokens_of(checkpoint), found)


def converted(checkpoint: Checkpoint, out: Path, scheme: str) -> Path:
    to_gguf(checkpoint, read_vocab(checkpoint), out, scheme, lambda _: None)
    verify_tokenizer(out, Tokens(checkpoint.path, checkpoint.config.vocabulary), checkpoint.kept is not None, 200)
    return out


TEXTS = [
    "<MoleculeS>CC(=O)Nc1ccc(O)cc1<MoleculeE><ReverseReact>",
    "<ProteinS>MKTAYIAKQRQISFVK<ProteinE>",
    "<MaterialS><MetalS>[Zn]",
]


def check_bit_for_bit(whole: Engine, cut: Engine, kept: tuple[int, ...]) -> None:
    for text in TEXTS:
        ids = cut.encode(text)
        assert tuple(kept[number] for number in ids) == whole.encode(text)
        assert np.array_equal(whole.logits(whole.encode(text))[:, list(kept)], cut.logits(ids))


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["f32", "q8_0"])
def test_gguf_logits_are_the_same_bits(checkpoint: Path, tmp_path: Path, open_model: Any, scheme: str) -> None:
    source = Checkpoint.open(checkpoint)
    with trimmed(source) as cut:
        files = [converted(one, tmp_path / f"{name}-f32.gguf", "f32") for one, name in ((source, "whole"), (cut, "cut"))]
        kept = cut.kept or ()
    if scheme != "f32":
        for i, file in enumerate(files):
            files[i] = tmp_path / f"{i}-{scheme}.gguf"
            quantize_gguf(file, files[i], scheme_named(scheme), None, lambda *_: None)
    assert read_header(files[1]).keys[TRIM_IDS] == list(kept) and TRIM_IDS not in read_header(files[0]).keys
    check_bit_for_bit(open_model(files[0]), open_model(files[1]), kept)


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["f32", "int8"])
def test_onnx_logits_are_the_same_bits(tiny: Path, tmp_path: Path, open_model: Any, scheme: str) -> None:
    source = Checkpoint.open(tiny)
    with trimmed(source) as cut:
        kept = cut.kept or ()
        convert_onnx(cut, scheme, False, tmp_path / "cut", None)
    convert_onnx(source, scheme, False, tmp_path / "whole", None)
    check_bit_for_bit(open_model(tmp_path / "whole"), open_model(tmp_path / "cut"), kept)
    with pytest.raises(ForeignText):
        open_model(tmp_path / "cut").encode("hello world")


def test_tied_heads_and_shards(tokenizer: Tokenizer, tmp_path: Path) -> None:
    with trimmed(Checkpoint.open(write_checkpoint(tmp_path / "tied", tokenizer, tied=True))) as cut:
        assert "lm_head.weight" not in cut.tensors and cut.tensors["model.embed_tokens.weight"].shape[0] == len(cut.kept or ())
    with trimmed(Checkpoint.open(write_checkpoint(tmp_path / "shards", tokenizer, shards=3))) as cut:
        converted(cut, tmp_path / "shards.gguf", "bf16")


def test_gathered_rows(tiny: Path) -> None:
    source = Checkpoint.open(tiny).tensors["lm_head.weight"]
    ids = (0, 1, 2, 5, 9, 10, 200)
    found = Gathered.of(source, ids)
    assert found.rows(0, len(ids)) == b"".join(source.rows(i, i + 1) for i in ids) and found.rows(3, 5) == source.rows(
        5, 6
    ) + source.rows(9, 10)
    assert list(runs(ids, 2)) == [(0, 2), (2, 3), (5, 6), (9, 11), (200, 201)] and found.nbytes == len(found.rows(0, len(ids)))


def test_an_unknown_post_processor_is_refused(tiny: Path, tmp_path: Path) -> None:
    for file in tiny.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    document = json.loads((tmp_path / "tokenizer.json").read_text())
    document["post_processor"] = {"type": "BertProcessing", "sep": ["x", 5], "cls": ["y", 6]}
    (tmp_path / "tokenizer.json").write_text(json.dumps(document))
    with pytest.raises(TokenizerError, match="appends & to every prompt"), trimmed(Checkpoint.open(tmp_path)):
        pass


@pytest.mark.slow
def test_the_command(logos_here: Callable[..., Run], tmp_path: Path) -> None:
    cut, whole = tmp_path / "cut.gguf", tmp_path / "whole.gguf"
    done = logos_here("convert", "nano", "-o", cut, "--trim-vocab", "--type", "q8_0")
    assert done.code == 0 and "vocabulary: 592 of 768 tokens kept" in done.err
    assert logos_here("convert", "nano", "-o", whole, "--type", "q8_0").code == 0
    assert cut.stat().st_size < whole.stat().st_size
    records = logos_here("generate", "molecule", "-m", cut, "-n", 4).lines
    assert [one["text"] for one in records] == [
        one["text"] for one in logos_here("generate", "molecule", "-m", whole, "-n", 4).lines
    ]
    found = logos_here(
        "generate", "raw", "-", "-m", cut, stdin='{"id": "a", "text": "<ProteinS>hello"}\n{"id": "b", "text": "<ProteinS>MK"}\n'
    )
    assert "'ello' can stand in no SMILES" in found.lines[0]["error"] and found.lines[1]["error"] is None
    assert "cut to the grammar" in logos_here("inspect", cut).out
    assert logos_here("convert", "nano", "--to", "onnx", "--portable", "--trim-vocab", "-o", tmp_path / "x").code == 2
