"""Qwen3 and Mixtral with a published vocabulary against llama.cpp's converter and transformers.

pytest -m peer tests/convert/test_families_peer.py     # $LLAMA_CPP_SOURCE and $QWEN_TIKTOKEN, torch and transformers
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from builders import MIXTRAL, QWEN3, Run, build_tokenizer, convert, write_checkpoint
from qwen_vocabulary import END, ROWS, TURN_END, write_qwen_tokenizer
from tokenizers import Tokenizer

from logos_cli.convert.verify import texts
from logos_cli.engines.engine import EngineSettings, Request
from logos_cli.engines.sampling import Sampling
from logos_cli.models.gguf_header import GgufHeader, read_header

pytestmark = [pytest.mark.peer, pytest.mark.filterwarnings("ignore")]
FAMILIES: dict[str, dict[str, Any]] = {"qwen3": QWEN3, "mixtral": MIXTRAL}
SMILES = ("CC(=O)Nc1ccc(O)cc1", "CC(=O)Oc1ccccc1C(=O)O", "O=C(O)c1ccc(NC(=O)c2ccccc2)cc1")
PROMPTS = [f"<MoleculeS>{one}<MoleculeE><ReverseReact>" for one in SMILES]
LENGTH = 40


@pytest.fixture(scope="session")
def family(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """A small checkpoint of a family with Qwen's vocabulary, made once a session each."""
    source = os.environ.get("QWEN_TIKTOKEN")
    if not source:
        pytest.skip("set QWEN_TIKTOKEN to dashscope/resources/qwen.tiktoken of PyPI's dashscope 1.20.0")
    folder = tmp_path_factory.mktemp("families")

    def get(name: str) -> Path:
        path = folder / name
        if not path.exists():
            path.mkdir()
            write_qwen_tokenizer(path, Path(source))
            ids = Tokenizer.from_file(str(path / "tokenizer.json"))
            kept = {p.name: p.read_bytes() for p in path.iterdir()}
            end, turn = ids.token_to_id(END), ids.token_to_id(TURN_END)
            # hidden 64: most of a tiny model with this vocabulary is its embedding.
            sizes = {"vocab_size": ROWS, "hidden_size": 64, "intermediate_size": 128, "head_dim": 32}
            changes: dict[str, Any] = {**FAMILIES[name], **sizes, "bos_token_id": end, "eos_token_id": turn}
            write_checkpoint(path, build_tokenizer(), shards=2, **changes)
            for file, content in kept.items():
                (path / file).write_bytes(content)
            generation = {"bos_token_id": end, "eos_token_id": [turn, end], "pad_token_id": end}
            (path / "generation_config.json").write_text(json.dumps(generation))
        return path

    return get


def data_of(header: GgufHeader, name: str) -> bytes:
    tensor = next(one for one in header.tensors if one.name == name)
    with header.path.open("rb") as stream:
        stream.seek(header.data_start + tensor.offset)
        return stream.read(tensor.nbytes)


@pytest.mark.parametrize("name", FAMILIES)
def test_equals_llama_cpps_own_converter(family: Callable[[str], Path], tmp_path: Path, name: str) -> None:
    source = os.environ.get("LLAMA_CPP_SOURCE")
    if not source:
        pytest.skip("set LLAMA_CPP_SOURCE to llama.cpp's source, as in llama-cpp-python's sdist")
    python = os.environ.get("LLAMA_CPP_PYTHON", sys.executable)
    theirs, ours = tmp_path / "theirs.gguf", tmp_path / "ours.gguf"
    command = [python, f"{source}/convert_hf_to_gguf.py", str(family(name)), "--outfile", str(theirs), "--outtype", "bf16"]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    convert(family(name), ours, "bf16")
    a, b = read_header(ours), read_header(theirs)
    assert {t.name: (t.shape, t.type) for t in a.tensors} == {t.name: (t.shape, t.type) for t in b.tensors}
    # Names made up from the folder; general.sampling, which is generation_config.json's; a key for SentencePiece only.
    free = ("general.name", "general.basename", "general.size_label", "general.sampling.", "logos.",
            "tokenizer.ggml.add_space_prefix")  # fmt: skip
    keys = {key for key in {*a.keys, *b.keys} if not key.startswith(free)}
    assert {key: (a.keys.get(key), b.keys.get(key)) for key in keys if a.keys.get(key) != b.keys.get(key)} == {}
    for tensor in a.tensors:
        assert data_of(a, tensor.name) == data_of(b, tensor.name), tensor.name


@pytest.mark.parametrize("name, to", [("qwen3", "gguf"), ("qwen3", "onnx"), ("mixtral", "gguf")])
def test_ids_logits_and_greedy_text_are_those_of_transformers(
    family: Callable[[str], Path], tmp_path: Path, logos_here: Callable[..., Run], open_model: Any, name: str, to: str
) -> None:
    torch, transformers = pytest.importorskip("torch"), pytest.importorskip("transformers")
    folder, out = family(name), tmp_path / ("m.gguf" if to == "gguf" else "m")
    done = logos_here("convert", folder, "-o", out, "--to", to, "--type", "f32")
    assert done.code == 0, done.err
    engine = open_model(out)
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    model = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    for text in ("", *PROMPTS, *texts(200)):
        assert list(engine.encode(text)) == tokenizer(text)["input_ids"], text
    for row, prompt in enumerate(PROMPTS):
        ids = torch.tensor([tokenizer(prompt)["input_ids"]])
        with torch.inference_mode():
            logits = model(ids).logits[0].numpy()
            found = model.generate(
                ids, attention_mask=torch.ones_like(ids), do_sample=False, max_new_tokens=LENGTH, pad_token_id=0
            )
        assert np.abs(engine.logits(ids[0].tolist()) - logits).max() < 1e-4
        (answer,) = engine.generate([Request(row, engine.encode(prompt), [0])], Sampling(temperature=0, max_tokens=LENGTH), [])
        assert list(answer.tokens) == found[0, ids.shape[1] :].tolist()


def test_the_torch_reference_reads_qwen3(family: Callable[[str], Path], tmp_path: Path, open_model: Any) -> None:
    pytest.importorskip("torch")
    from logos_cli.engines.torch_engine import TorchEngine

    reference = TorchEngine(family("qwen3"), EngineSettings(device="cpu", threads=1))
    ours = open_model(convert(family("qwen3"), tmp_path / "m.gguf", "f32"))
    tokens = reference.encode(PROMPTS[0])
    assert tokens == ours.encode(PROMPTS[0]) and np.abs(reference.logits(tokens) - ours.logits(tokens)).max() < 1e-4


@pytest.mark.parametrize("to, scheme", [("gguf", "int4"), ("onnx", "int8")])
def test_the_vocabulary_can_be_trimmed(
    family: Callable[[str], Path], tmp_path: Path, logos_here: Callable[..., Run], to: str, scheme: str
) -> None:
    out = tmp_path / ("m.gguf" if to == "gguf" else "m")
    done = logos_here("convert", family("qwen3"), "-o", out, "--to", to, "--type", scheme, "--trim-vocab")
    assert done.code == 0, done.err
    found = logos_here("generate", "retro", "-", "-m", out, "-n", "2", "--max-tokens", "8", stdin="CC(=O)Nc1ccc(O)cc1 x\n")
    assert found.code == 0 and len(found.lines) == 2
