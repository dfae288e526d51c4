"""SentencePiece vocabularies, as Llama 2's and Mixtral's: ids are those of `tokenizers`, keys those of llama.cpp's converter.

pytest -m peer tests/convert/test_sentencepiece.py     # $LLAMA_CPP_SOURCE, which has Llama 2's own vocabulary
"""

from __future__ import annotations

import json
import os
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from builders import MIXTRAL, Run, write_checkpoint
from sentencepiece_vocabulary import BYTES, END, KINDS, SPECIAL, START, UNKNOWN, llama2, small_tokenizer
from tokenizers import Tokenizer

from logos_cli.chemistry.grammar import MARKERS
from logos_cli.convert.gguf_vocab import read_vocab
from logos_cli.engines.engine import Request
from logos_cli.engines.sampling import Sampling
from logos_cli.models.checkpoint import Checkpoint
from logos_cli.models.gguf_header import read_header
from logos_cli.models.tokens import Tokens

WORDS = (
    "hello", "The quick", "don't", "c1ccccc1", "MKTAYIAKQR", "é", "日本", "🧪", "123", "▁", "<0x41>", "\t", "\n", " ", "  ",
    " " * 9, " " * 17, *SPECIAL,
)  # fmt: skip


def checkpoint(folder: Path, tokenizer: Tokenizer, **changes: Any) -> Path:
    sizes = {"hidden_size": 64, "intermediate_size": 128, "head_dim": 32, "num_attention_heads": 2, "num_key_value_heads": 2}
    ids = {"bos_token_id": 1, "eos_token_id": 2, "rope_scaling": None}
    write_checkpoint(folder, tokenizer, **{**sizes, **ids, **changes})
    names = {"bos_token": START, "eos_token": END, "unk_token": UNKNOWN, "tokenizer_class": "PreTrainedTokenizerFast"}
    (folder / "tokenizer_config.json").write_text(json.dumps(names))
    return folder


def mixed(count: int, words: tuple[str, ...]) -> list[str]:
    rng = random.Random(7)
    return ["".join(rng.choices(words, k=rng.randint(0, 8))) for _ in range(count)]


@pytest.mark.slow
@pytest.mark.parametrize("markers", [(), MARKERS], ids=["plain", "markers"])
@pytest.mark.parametrize("kind", KINDS)
def test_ids_and_texts(
    tmp_path: Path, logos_here: Callable[..., Run], open_model: Any, kind: str, markers: tuple[str, ...]
) -> None:
    """In GGUF and ONNX, with special tokens in the middle and runs of blanks; a text keeps the blank that it begins with."""
    tokenizer = small_tokenizer(kind, markers)
    folder = checkpoint(tmp_path / "c", tokenizer)
    outs = {"gguf": tmp_path / "m.gguf", "onnx": tmp_path / "m"}
    engines = []
    for to, out in outs.items():
        done = logos_here("convert", folder, "-o", out, "--to", to, "--type", "f32")
        assert done.code == 0, done.err
        assert ("none of LOGOS's markers" in done.err) == (not markers)
        engines.append(open_model(out))
    keys = read_header(outs["gguf"]).keys
    assert keys["tokenizer.ggml.model"] == "llama" and keys["tokenizer.ggml.add_space_prefix"] == (kind != "never")
    for text in mixed(600, (*WORDS, *markers)):
        ids = tuple(tokenizer.encode(text).ids)
        for engine in engines:
            assert tuple(engine.encode(text)) == ids, text
        plain = tuple(i for i in ids[1:] if i != 2)
        assert engines[0].decode(plain) == engines[1].decode(plain)
    piece = tokenizer.token_to_id("▁h") or tokenizer.token_to_id("▁")
    assert all(engine.decode([piece]).startswith(" ") for engine in engines)
    request = Request(0, tuple(engines[0].encode("hello")), (0,))
    greedy = Sampling(temperature=0, max_tokens=20)
    found = [next(iter(engine.generate([request], greedy, None))) for engine in engines]
    assert found[0] and found[1] and (found[0].tokens, found[0].text) == (found[1].tokens, found[1].text)


@pytest.mark.slow
def test_mixtral_with_such_a_vocabulary(tmp_path: Path, logos_here: Callable[..., Run]) -> None:
    folder = checkpoint(tmp_path / "c", small_tokenizer("llama2"), **MIXTRAL)
    out = tmp_path / "m.gguf"
    assert logos_here("convert", folder, "-o", out).code == 0
    found = logos_here(
        "score",
        "-",
        "--task",
        "raw",
        "-m",
        out,
        stdin="hello there\n",
    )
    assert found.code == 0 and found.lines[0]["logprob"] < 0
    refused = logos_here("convert", folder, "-o", tmp_path / "t.gguf", "--trim-vocab")
    assert refused.code == 1 and "--trim-vocab" in refused.err


def test_types_and_scores(tmp_path: Path) -> None:
    """What is merged earlier has the higher score, byte and special tokens have their types, unused rows theirs."""
    folder = checkpoint(tmp_path / "c", small_tokenizer("llama2"))
    vocab = read_vocab(Checkpoint.open(folder))
    assert vocab.scores is not None
    assert vocab.types[:3] == [2, 3, 3] and vocab.types[3:259] == [6] * 256 and vocab.texts[3:259] == list(BYTES)
    assert vocab.types[-3:] == [5] * 3 and vocab.scores[-1] == -10000 and set(vocab.scores[:259]) == {0.0}
    document = json.loads((folder / "tokenizer.json").read_text())["model"]
    ids = [document["vocab"]["".join(merge)] for merge in document["merges"]]
    scores = [vocab.scores[number] for number in dict.fromkeys(ids)]
    assert scores == sorted(scores, reverse=True) and len(set(scores)) == len(scores)
    config = json.loads((folder / "tokenizer_config.json").read_text())
    config["added_tokens_decoder"] = {str(at): {"content": name, "special": True} for at, name in enumerate(SPECIAL)}
    (folder / "tokenizer_config.json").write_text(json.dumps(config))
    listed = read_vocab(Checkpoint.open(folder))
    assert listed.types[:3] == [3, 3, 3] and listed.scores is not None and listed.scores[:3] == [-1000.0] * 3


def test_merges_in_another_order_than_ids(tmp_path: Path, logos_here: Callable[..., Run]) -> None:
    folder = checkpoint(tmp_path / "c", small_tokenizer("llama2"))
    document = json.loads((folder / "tokenizer.json").read_text())
    vocab = document["model"]["vocab"]
    first, last = (next(p for p, i in vocab.items() if i == number) for number in (300, 301))
    vocab[first], vocab[last] = 301, 300
    (folder / "tokenizer.json").write_text(json.dumps(document))
    assert logos_here("convert", folder, "-o", tmp_path / "m.gguf").code == 0, "1,000 texts are compared"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda d: d["model"]["vocab"].pop("<0x41>"), "<0x41> is missing"),
        (lambda d: d.update(normalizer={"type": "NFKC"}), "normalizer or pre-tokenizer that is not known"),
        (lambda d: d.update(normalizer=None, pre_tokenizer={"type": "Metaspace", "replacement": "▁", "prepend_scheme": "first",
                                                            "split": True}), "that is not known"),
        (lambda d: d["model"].update(ignore_merges=True), "with ignore_merges"),
    ],
)  # fmt: skip
def test_what_is_refused(tmp_path: Path, logos_here: Callable[..., Run], change: Callable[[Any], Any], reason: str) -> None:
    folder = checkpoint(tmp_path / "c", small_tokenizer("llama2"))
    document = json.loads((folder / "tokenizer.json").read_text())
    change(document)
    (folder / "tokenizer.json").write_text(json.dumps(document))
    done = logos_here("convert", folder, "-o", tmp_path / "m.gguf")
    assert done.code == 1 and reason in done.err and not (tmp_path / "m.gguf").exists()


def test_a_tokenizer_model_alone(tmp_path: Path, logos_here: Callable[..., Run]) -> None:
    folder = checkpoint(tmp_path / "c", small_tokenizer("llama2"))
    (folder / "tokenizer.json").rename(folder / "tokenizer.model")
    done = logos_here("convert", folder, "-o", tmp_path / "m.gguf")
    assert done.code == 1 and "tokenizer.model alone" in done.err and "save_pretrained" in done.err
    assert done.err.count("\n") == 1


@pytest.mark.peer
@pytest.mark.parametrize("kind", KINDS)
def test_llama_2s_own(tmp_path: Path, open_model: Any, logos_here: Callable[..., Run], kind: str) -> None:
    """Texts, types and scores are those that llama.cpp's converter wrote from Llama 2's tokenizer.model, and ids those of its
    published list of texts."""
    source = os.environ.get("LLAMA_CPP_SOURCE")
    if not source:
        pytest.skip("set LLAMA_CPP_SOURCE to llama.cpp's source, as in llama-cpp-python's sdist")
    gguf = Path(source) / "models" / "ggml-vocab-llama-spm.gguf"
    tokenizer, keys = llama2(gguf, kind)
    folder = checkpoint(tmp_path / "c", tokenizer, vocab_size=32000)
    vocab = read_vocab(Checkpoint.open(folder))
    names = ("tokens", "token_type", "scores")
    for name, ours in zip(names, (vocab.texts, vocab.types, vocab.scores), strict=True):
        assert ours == keys[f"tokenizer.ggml.{name}"], name
    assert logos_here("convert", folder, "-o", tmp_path / "m.gguf").code == 0
    engine = open_model(tmp_path / "m.gguf")
    for text in mixed(3000, WORDS):
        assert tuple(engine.encode(text)) == tuple(tokenizer.encode(text).ids), text
    if kind == "llama2":
        asked = Path(f"{gguf}.inp").read_text(encoding="utf-8").split("\n__ggml_vocab_test__\n")
        wanted = [[int(one) for one in line.split()] for line in Path(f"{gguf}.out").read_text().splitlines()]
        for text, ids in zip(asked, wanted, strict=False):
            assert list(engine.encode(text))[1:] == ids, text


def test_reading_such_a_checkpoint_twice_is_the_same(tmp_path: Path) -> None:
    """What a folder of ONNX keeps is the tokenizer as it was read."""
    folder = checkpoint(tmp_path / "c", small_tokenizer("first", MARKERS))
    before = Tokens(folder, 2000)
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    (copy / "tokenizer.json").write_text(json.dumps(before.document()))
    after = Tokens(copy, 2000)
    assert all(before.encode(text) == after.encode(text) for text in mixed(100, (*WORDS, *MARKERS)))
