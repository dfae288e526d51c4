"""A tiny real checkpoint, built here, goes through the real converter, quantizer and engine; nano is used where a trained
model is needed. Nothing of our own is mocked."""

from __future__ import annotations

import io
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, processors, trainers

from logos_cli.checkpoint import Checkpoint
from logos_cli.command_line import run
from logos_cli.commands.onnx_output import convert_onnx
from logos_cli.convert.bundled import nano_model
from logos_cli.convert.gguf_vocab import LLAMA3, read_vocab
from logos_cli.convert.to_gguf import to_gguf
from logos_cli.convert.verify import texts
from logos_cli.engine import Engine, EngineSettings, open_engine
from logos_cli.grammar import MARKERS
from logos_cli.quant.quantize_gguf import quantize_gguf
from logos_cli.quant.schemes import scheme_named
from logos_cli.tokens import Tokens

BOS, EOS, PAD = "<|begin_of_text|>", "<|end_of_text|>", "<|eot_id|>"


def build_tokenizer(pattern: str | None = LLAMA3, ignore_merges: bool = True, markers: tuple[str, ...] = MARKERS) -> Tokenizer:
    """A byte-level BPE; `pattern` None is GPT-2's own.

    Its merges are learned without any split, so that they reach across every place where a pattern may cut: two
    patterns that cut differently then give different tokens.
    """
    tokenizer = Tokenizer(models.BPE(ignore_merges=ignore_merges))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    trainer = trainers.BpeTrainer(
        vocab_size=600, initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()), show_progress=False
    )
    tokenizer.train_from_iterator((re.sub("<[A-Za-z]+>", "", text) for text in texts(300)), trainer)
    if pattern is None:
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    else:
        tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
            [
                pre_tokenizers.Split(Regex(pattern), "isolated"),
                pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
            ]
        )
    tokenizer.decoder = decoders.ByteLevel()
    special = [AddedToken(name, normalized=False, special=True) for name in (BOS, EOS, PAD, *markers)]
    tokenizer.add_special_tokens(special)
    bos = tokenizer.token_to_id(BOS)
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{BOS} $A", pair=f"{BOS} $A {BOS}:1 $B:1", special_tokens=[(BOS, bos)]
    )
    return tokenizer


def write_checkpoint(
    folder: Path, tokenizer: Tokenizer, dtype: str = "BF16", tied: bool = False, shards: int = 1, **changes: Any
) -> Path:
    """A random Llama: 2 layers, hidden 256, grouped-query attention, llama3 rope scaling, three spare embedding rows."""
    folder.mkdir(parents=True, exist_ok=True)
    vocabulary = tokenizer.get_vocab_size() + 3
    config = {
        "architectures": ["LlamaForCausalLM"], "model_type": "llama", "torch_dtype": "bfloat16", "vocab_size": vocabulary,
        "hidden_size": 256, "intermediate_size": 512, "num_hidden_layers": 2, "num_attention_heads": 4,
        "num_key_value_heads": 2, "head_dim": 64, "max_position_embeddings": 1024, "rms_norm_eps": 1e-5,
        "rope_theta": 10000.0, "tie_word_embeddings": tied, "hidden_act": "silu",
        "rope_scaling": {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
                         "original_max_position_embeddings": 256},
        "bos_token_id": tokenizer.token_to_id(BOS), "eos_token_id": tokenizer.token_to_id(EOS),
    } | changes  # fmt: skip
    (folder / "config.json").write_text(json.dumps(config))
    tokenizer.save(str(folder / "tokenizer.json"))
    names = {"bos_token": BOS, "eos_token": EOS, "pad_token": PAD}
    (folder / "tokenizer_config.json").write_text(json.dumps({**names, "tokenizer_class": "PreTrainedTokenizerFast"}))
    tensors = random_tensors(config, tied)
    stored = {name: stored_as(array, dtype) for name, array in tensors.items()}
    if shards == 1:
        save_raw(folder / "model.safetensors", stored, dtype)
        return folder
    weight_map: dict[str, str] = {}
    for i in range(shards):
        shard = f"model-{i + 1:05}-of-{shards:05}.safetensors"
        part = dict(list(stored.items())[i::shards])
        save_raw(folder / shard, part, dtype)
        weight_map |= dict.fromkeys(part, shard)
    (folder / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": weight_map}))
    return folder


def random_tensors(config: dict[str, Any], tied: bool) -> dict[str, np.ndarray[Any, Any]]:
    rng = np.random.default_rng(0)
    h, f = config["hidden_size"], config["intermediate_size"]
    kv = config["num_key_value_heads"] * config["head_dim"]
    shapes: dict[str, tuple[int, ...]] = {"model.embed_tokens.weight": (config["vocab_size"], h), "model.norm.weight": (h,)}
    if not tied:
        shapes["lm_head.weight"] = (config["vocab_size"], h)
    for i in range(config["num_hidden_layers"]):
        p = f"model.layers.{i}."
        shapes |= {p + "input_layernorm.weight": (h,), p + "post_attention_layernorm.weight": (h,)}
        shapes |= {p + f"self_attn.{n}_proj.weight": (d, h) for n, d in (("q", h), ("k", kv), ("v", kv), ("o", h))}
        shapes |= {p + "mlp.gate_proj.weight": (f, h), p + "mlp.up_proj.weight": (f, h), p + "mlp.down_proj.weight": (h, f)}
    # Wide enough that the logits have clear winners, so greedy texts can be compared.
    return {n: rng.normal(1.0 if len(s) == 1 else 0.0, 0.08, s).astype(np.float32) for n, s in shapes.items()}


def stored_as(array: np.ndarray[Any, Any], dtype: str) -> np.ndarray[Any, Any]:
    if dtype == "BF16":
        return ((array.view(np.uint32) + 0x8000) >> 16).astype(np.uint16)
    return array.astype(np.float16 if dtype == "F16" else np.float32)


def save_raw(path: Path, tensors: dict[str, np.ndarray[Any, Any]], dtype: str) -> None:
    """safetensors.numpy has no bfloat16, so its name is put into the header afterwards (U16 and BF16 are as long)."""
    if dtype != "BF16":
        save_file(tensors, str(path))
        return
    save_file(tensors, str(path))
    data = path.read_bytes()
    size = int.from_bytes(data[:8], "little")
    table = json.loads(data[8 : 8 + size])
    for entry in table.values():
        entry["dtype"] = "BF16"
    header = json.dumps(table, separators=(",", ":")).encode()
    header += b" " * (-len(header) % 8)
    path.write_bytes(len(header).to_bytes(8, "little") + header + data[8 + size :])


@pytest.fixture(scope="session", autouse=True)
def ctrl_c_is_heard() -> None:
    """A shell's background job starts with SIGINT ignored, and its children inherit that: tests of Ctrl-C would wait."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number in (signal.SIGTERM, signal.SIGHUP):  # nohup has the second ignored
        signal.signal(number, signal.SIG_DFL)


@pytest.fixture(scope="session")
def tokenizer() -> Tokenizer:
    return build_tokenizer()


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory, tokenizer: Tokenizer) -> Path:
    """The tiny checkpoint, bf16, untied head."""
    return write_checkpoint(tmp_path_factory.mktemp("tiny") / "checkpoint", tokenizer)


def tokens_of(checkpoint: Path) -> Tokens:
    return Tokens(checkpoint, Checkpoint.open(checkpoint).config.vocabulary)


def convert(checkpoint: Path, out: Path, scheme: str) -> Path:
    opened = Checkpoint.open(checkpoint)
    to_gguf(opened, read_vocab(opened), out, scheme, lambda _: None)
    return out


@pytest.fixture(scope="session")
def tiny_gguf(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """The tiny model converted to an unquantized scheme, once a session each."""
    folder = tmp_path_factory.mktemp("gguf")

    def get(scheme: str) -> Path:
        path = folder / f"tiny-{scheme}.gguf"
        return path if path.exists() else convert(tiny, path, scheme)

    return get


@pytest.fixture(scope="session")
def private_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """nano's GGUF goes into a cache of this session, not into the user's."""
    folder = tmp_path_factory.mktemp("cache")
    os.environ["XDG_CACHE_HOME"] = str(folder)
    return folder


@pytest.fixture(scope="session")
def nano_bf16(private_cache: Path) -> Path:
    return nano_model()


@pytest.fixture(scope="session")
def nano_int4(nano_bf16: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("nano") / "nano-int4.gguf"
    quantize_gguf(nano_bf16, out, scheme_named("int4"), None, lambda *_: None)
    return out


@pytest.fixture(scope="session")
def onnx_folder(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """A checkpoint's ONNX folder in a scheme, made once a session each."""
    made: dict[tuple[Path, str, bool], Path] = {}

    def get(checkpoint: Path, scheme: str, half: bool = False) -> Path:
        key = (checkpoint, scheme, half)
        if key not in made:
            made[key] = tmp_path_factory.mktemp("onnx") / f"{checkpoint.name}-{scheme}"
            convert_onnx(Checkpoint.open(checkpoint), scheme, half, made[key], None)
        return made[key]

    return get


@pytest.fixture
def open_model() -> Any:
    """Engines that are closed when the test ends."""
    opened: list[Engine] = []

    def get(path: Path, **settings: Any) -> Engine:
        opened.append(open_engine(path, EngineSettings(**{"device": "cpu", **settings})))
        return opened[-1]

    yield get
    for engine in opened:
        engine.close()


@dataclass(frozen=True)
class Run:
    code: int
    out: str
    err: str

    @property
    def lines(self) -> list[Any]:
        return [json.loads(line) for line in self.out.splitlines()]


@pytest.fixture
def logos(private_cache: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Run]:
    """The installed command in a process of its own."""
    monkeypatch.delenv("LOGOS_MODEL", raising=False)

    def run(*arguments: str | Path, stdin: str | bytes = "", timeout: float = 120) -> Run:
        data = stdin.encode() if isinstance(stdin, str) else stdin
        command = [sys.executable, "-m", "logos_cli", *map(str, arguments)]
        done = subprocess.run(command, check=False, input=data, capture_output=True, timeout=timeout)
        return Run(done.returncode, done.stdout.decode(), done.stderr.decode())

    return run


@pytest.fixture
def logos_here(private_cache: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Run]:
    """The same command in this process, which spares a second of imports: for what does not depend on a process's end."""
    monkeypatch.delenv("LOGOS_MODEL", raising=False)

    def call(*arguments: str | Path, stdin: str = "") -> Run:
        with monkeypatch.context() as patch:
            patch.setattr("sys.stdin", io.TextIOWrapper(io.BufferedReader(io.BytesIO(stdin.encode()))))
            capsys.readouterr()
            code = run(list(map(str, arguments)))
        return Run(code, *capsys.readouterr())

    return call
