"""One prompt contract: the checkpoint's files decide ids, BOS, ends and padding, and every engine keeps to them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from builders import Run
from checkpoint_variants import (
    AS_NANO,
    NO_NAMES,
    OTHER_IDS,
    REFUSED,
    added,
    all_of,
    config,
    copy_of_nano,
    first_value,
    garbage_rows,
    generation,
)
from checkpoint_variants import tokenizer as tokenizer_json
from tokenizers import Tokenizer

from logos_cli.convert.nano_model import nano_checkpoint
from logos_cli.convert.verify import texts, verify_onnx_tokens
from logos_cli.engines.engine import Engine, Request
from logos_cli.engines.llamacpp import library
from logos_cli.engines.llamacpp.tokens import LlamaTokens
from logos_cli.engines.sampling import Sampling
from logos_cli.errors import TokenizerError
from logos_cli.models.gguf_header import read_header
from logos_cli.models.tokens import Tokens

Logos = Callable[..., Run]
PROTEIN = "<ProteinS>" + "MKTAYIAKQR" * 70 + "<ProteinE>"
SPACED = ["<MoleculeS> C <MoleculeE>\n<React>", "  <MoleculeE>\t", "C <MoleculeE> <MoleculeS> C", "cafe\u0301<Search>\u0338"]
TEXTS = ["", PROTEIN, *SPACED, *texts(50)]
PROMPT = "<MoleculeS>CC(=O)Nc1ccc(O)cc1<MoleculeE><ReverseReact>"


def written_tokens(path: Path) -> tuple[list[tuple[int, ...]], frozenset[int], int]:
    """Ids of `TEXTS`, ends, and the end of a text as a model file gives them."""
    if path.is_dir():
        tokens = Tokens(path, json.loads((path / "config.json").read_text())["vocab_size"])
        return [tokens.encode(text) for text in TEXTS], tokens.ends, tokens.end_of_text()
    binding = library.load()
    params = binding.llama_model_default_params()
    params.vocab_only = True
    model = binding.llama_model_load_from_file(str(path).encode(), params)
    found = LlamaTokens(binding, model, read_header(path))
    result = [found.encode(text) for text in TEXTS], found.ends, found.end_of_text()
    binding.llama_model_free(model)
    return result


def converted(logos: Logos, folder: Path, to: str, *more: str) -> Path:
    out = folder.parent / (folder.name + (".gguf" if to == "gguf" else "-onnx"))
    done = logos("convert", folder, "-o", out, "--to", to, "--type", "f32", *more)
    assert done.code == 0, done.err
    return out


@pytest.mark.slow
@pytest.mark.parametrize("to", ["gguf", "onnx"])
@pytest.mark.parametrize("name", AS_NANO)
def test_read_as_nano(logos_here: Logos, tmp_path: Path, name: str, to: str) -> None:
    """The expected ids come from `tokenizers` alone, with nano's own file."""
    original = Tokenizer.from_file(str(nano_checkpoint() / "tokenizer.json"))
    out = converted(logos_here, copy_of_nano(tmp_path / "variant", AS_NANO[name]), to)
    ids, ends, end = written_tokens(out)
    assert ids == [tuple(original.encode(text).ids) for text in TEXTS]
    assert ends == {750, 751} and end == 750, "none of them a marker"


@pytest.mark.slow
@pytest.mark.parametrize("to", ["gguf", "onnx"])
@pytest.mark.parametrize("name", OTHER_IDS)
def test_read_as_tokenizers_does(logos_here: Logos, tmp_path: Path, name: str, to: str) -> None:
    folder = copy_of_nano(tmp_path / "variant", OTHER_IDS[name])
    ids, ends, _ = written_tokens(converted(logos_here, folder, to))
    original = Tokenizer.from_file(str(folder / "tokenizer.json"))
    if name == "stripping said in tokenizer_config":
        assert ids != [tuple(original.encode(text).ids) for text in TEXTS]
        spaces = [number for text, number in original.get_vocab().items() if set(text) <= set("ĠĊĉ")]
        assert not set(ids[TEXTS.index(SPACED[1])]) & set(spaces)
    else:
        assert ids == [tuple(original.encode(text).ids) for text in TEXTS]
    assert ends == {750, 751}


@pytest.mark.slow
@pytest.mark.parametrize("to", ["gguf", "onnx"])
@pytest.mark.parametrize("name", REFUSED)
def test_refused_with_its_cause(logos_here: Logos, tmp_path: Path, name: str, to: str) -> None:
    change, cause = REFUSED[name]
    folder = copy_of_nano(tmp_path / "variant", change)
    out = tmp_path / "out"
    for more in ((), ("--dry-run",)):
        done = logos_here("convert", folder, "-o", out, "--to", to, *more)
        assert done.code == 1 and cause in done.err, (more, done.err)
        assert len(done.err.strip().splitlines()) == 1 and not out.exists()


@pytest.mark.slow
@pytest.mark.parametrize("to", ["gguf", "onnx"])
def test_what_f16_cannot_hold(logos_here: Logos, tmp_path: Path, to: str) -> None:
    folder = copy_of_nano(tmp_path / "variant", first_value(0x4800 | 0x380))
    for more in ((), ("--dry-run",)):
        done = logos_here("convert", folder, "-o", tmp_path / "out", "--to", to, "--type", "f16", *more)
        assert done.code == 1 and "values that f16 cannot hold; take --type f32" in done.err
    assert logos_here("convert", folder, "-o", tmp_path / "out", "--to", to, "--type", "f32").code == 0


@pytest.mark.slow
def test_a_normalizer_that_llama_cpp_has_no_part_of(logos_here: Logos, tmp_path: Path) -> None:
    """NFC is done before it; no other is, and an ONNX folder takes any."""
    folder = copy_of_nano(tmp_path / "variant", tokenizer_json(lambda t: t.update(normalizer={"type": "NFKC"})))
    for more in ((), ("--dry-run",)):
        done = logos_here("convert", folder, "-o", tmp_path / "m.gguf", *more)
        assert done.code == 1 and "a normalizer is not supported: {'type': 'NFKC'}" in done.err
    assert not (tmp_path / "m.gguf").exists()
    original = Tokenizer.from_file(str(folder / "tokenizer.json"))
    texts_of_both = ["\ufb01<Search>\u00b2", *TEXTS]
    tokens = Tokens(converted(logos_here, folder, "onnx"), 768)
    assert [tokens.encode(text) for text in texts_of_both] == [tuple(original.encode(text).ids) for text in texts_of_both]


@pytest.mark.slow
def test_a_written_folder_that_reads_otherwise(logos_here: Logos, tmp_path: Path) -> None:
    folder = converted(logos_here, copy_of_nano(tmp_path / "variant"), "onnx")
    tokens = Tokens(nano_checkpoint(), 768)
    verify_onnx_tokens(folder, tokens, count=200)
    generation(eos_token_id=[750, 34])(folder)
    with pytest.raises(TokenizerError, match="the written folder has other end tokens"):
        verify_onnx_tokens(folder, tokens, count=200)
    tokenizer_json(lambda t: t.update(post_processor=None))(folder)
    with pytest.raises(TokenizerError, match=r"the written folder reads .* otherwise: its token 1 is ' ', in tokenizers '<"):
        verify_onnx_tokens(folder, tokens, count=200)


@pytest.mark.slow
def test_what_is_ignored_is_said(logos_here: Logos, tmp_path: Path) -> None:
    change = all_of(added("<pad>"), tokenizer_json(lambda t: t["model"].update(dropout=0.1)))
    folder = copy_of_nano(tmp_path / "variant", change)
    for to in ("gguf", "onnx"):
        done = logos_here("convert", folder, "-o", tmp_path / to, "--to", to)
        assert done.code == 0 and "<pad> is left out" in done.err and "dropout" in done.err
    reading = Tokens(folder, 768)
    assert {reading.encode(PROTEIN) for _ in range(5)} == {Tokens(nano_checkpoint(), 768).encode(PROTEIN)}


def greedy(engine: Engine, stops: list[str]) -> tuple[str, tuple[int, ...]]:
    request = Request(0, engine.encode(PROMPT), [0])
    (answer,) = engine.generate([request], Sampling(temperature=0, max_tokens=60), stops)
    assert answer is not None
    return answer.text, answer.tokens


@pytest.mark.slow
@pytest.mark.parametrize("to", ["gguf", "onnx"])
def test_a_marker_among_the_ends_is_no_end(logos_here: Logos, open_model: Any, tmp_path: Path, to: str) -> None:
    """It is written and kept in the text, and ends it where the task says so."""
    change = generation(eos_token_id=[750, 757])
    engine = open_model(converted(logos_here, copy_of_nano(tmp_path / "variant", change), to))
    text, tokens = greedy(engine, [])
    assert text.count("<MoleculeE>") == 2 and tokens[-1] == 750
    text, tokens = greedy(engine, ["<MoleculeE>"])
    assert text.endswith("<MoleculeE>") and text.count("<MoleculeE>") == 1


@pytest.mark.slow
@pytest.mark.parametrize("to", ["gguf", "onnx"])
def test_rows_without_a_token_are_never_drawn(logos_here: Logos, open_model: Any, tmp_path: Path, to: str) -> None:
    plain = open_model(converted(logos_here, copy_of_nano(tmp_path / "nano"), to))
    padded = open_model(converted(logos_here, copy_of_nano(tmp_path / "variant", garbage_rows(64)), to))
    logits = padded.logits(padded.encode(PROMPT + "<MoleculeS>C"))
    assert (logits.argmax(axis=1) >= 768).any(), "they would win"
    assert greedy(padded, []) == greedy(plain, [])
    request = Request(0, padded.encode(PROMPT), range(8))
    for sampling in (Sampling(top_k=0, max_tokens=30), Sampling(top_k=5, max_tokens=30), Sampling(top_p=0.9, max_tokens=30)):
        drawn = {token for answer in padded.generate([request], sampling, []) for token in answer.tokens}
        assert max(drawn) < 768


def test_ends_that_nothing_names(tmp_path: Path) -> None:
    """Those that Llama's vocabularies name by their texts are ends all the same, and a marker is none."""
    change = all_of(NO_NAMES, config(eos_token_id=757), generation(eos_token_id=None))
    tokens = Tokens(copy_of_nano(tmp_path / "variant", change), 768)
    assert tokens.ends == {750, 751} and tokens.end == 750
