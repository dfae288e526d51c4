"""An independent forward pass: a Llama, a Qwen3 or a Mixtral in float64 numpy, straight from the Hugging Face tensors and the
papers' formulas."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]


def load_tensors(folder: Path) -> dict[str, Array]:
    found: dict[str, Array] = {}
    for path in sorted(folder.glob("*.safetensors")):
        data = path.read_bytes()
        size = int.from_bytes(data[:8], "little")
        for name, entry in json.loads(data[8 : 8 + size]).items():
            if name == "__metadata__":
                continue
            begin, end = entry["data_offsets"]
            raw = data[8 + size + begin : 8 + size + end]
            if entry["dtype"] == "BF16":
                values: Any = (np.frombuffer(raw, np.uint16).astype(np.uint32) << 16).view(np.float32)
            else:
                values = np.frombuffer(raw, {"F16": np.float16, "F32": np.float32}[entry["dtype"]])
            found[name] = values.astype(np.float64).reshape(entry["shape"])
    return found


def frequencies(config: dict[str, Any]) -> Array:
    head = config["head_dim"]
    plain: Array = config["rope_theta"] ** (-np.arange(0, head, 2) / head)
    scaling = config.get("rope_scaling")
    if not scaling:
        return plain
    factor, low, high = scaling["factor"], scaling["low_freq_factor"], scaling["high_freq_factor"]
    original = scaling["original_max_position_embeddings"]
    found = []
    for f in plain:
        wavelength = 2 * math.pi / f
        if wavelength < original / high:
            found.append(f)
        elif wavelength > original / low:
            found.append(f / factor)
        else:
            smooth = (original / wavelength - low) / (high - low)
            found.append((1 - smooth) * f / factor + smooth * f)
    return np.array(found)


class ReferenceLlama:
    def __init__(self, folder: Path) -> None:
        self.config = json.loads((folder / "config.json").read_text())
        self.tensors = load_tensors(folder)
        self.inputs: dict[str, list[Array]] = {}  # what each matrix was multiplied with, by its Hugging Face name

    def _times(self, x: Array, name: str) -> Array:
        """`x` [T, C] times a matrix [R, C], which is transposed."""
        self.inputs.setdefault(name, []).append(x)
        return np.asarray(x @ self.tensors[name].T)

    def _norm(self, x: Array, name: str) -> Array:
        scale = 1 / np.sqrt((x**2).mean(-1, keepdims=True) + self.config["rms_norm_eps"])
        return np.asarray(x * scale * self.tensors[name])

    def logits(self, tokens: list[int]) -> Array:
        """[T, V] after each of `tokens`."""
        c, w = self.config, self.tensors
        t, head = len(tokens), c["head_dim"]
        x = w["model.embed_tokens.weight"][tokens]
        angles = np.outer(np.arange(t), frequencies(c))
        cos, sin = np.cos(angles)[:, None], np.sin(angles)[:, None]
        mask = np.triu(np.full((t, t), -np.inf), 1)

        def rotate(v: Array) -> Array:
            left, right = v[..., : head // 2], v[..., head // 2 :]
            return np.concatenate([left * cos - right * sin, right * cos + left * sin], -1)

        for i in range(c["num_hidden_layers"]):
            p = f"model.layers.{i}."
            h = self._norm(x, p + "input_layernorm.weight")
            q, k, v = (self._times(h, f"{p}self_attn.{n}_proj.weight").reshape(t, -1, head) for n in "qkv")
            if p + "self_attn.q_norm.weight" in w:  # Qwen3
                q, k = (self._norm(x, f"{p}self_attn.{n}_norm.weight") for x, n in ((q, "q"), (k, "k")))
            q, k = rotate(q), rotate(k)
            group = c["num_attention_heads"] // c["num_key_value_heads"]
            k, v = np.repeat(k, group, 1), np.repeat(v, group, 1)
            scores = np.einsum("qhd,khd->hqk", q, k) / math.sqrt(head) + mask
            weights = np.exp(scores - scores.max(-1, keepdims=True))
            weights /= weights.sum(-1, keepdims=True)
            attended = np.einsum("hqk,khd->qhd", weights, v).reshape(t, -1)
            x = x + self._times(attended, p + "self_attn.o_proj.weight")
            h = self._norm(x, p + "post_attention_layernorm.weight")
            mixture = f"{p}block_sparse_moe."
            x = x + (self._experts(h, mixture) if mixture + "gate.weight" in w else self._dense(h, p + "mlp.{}_proj.weight"))
        head_name = "model.embed_tokens.weight" if c["tie_word_embeddings"] else "lm_head.weight"
        return self._times(self._norm(x, "model.norm.weight"), head_name)

    def _dense(self, h: Array, names: str, parts: tuple[str, str, str] = ("gate", "up", "down")) -> Array:
        gate, up = (self._times(h, names.format(part)) for part in parts[:2])
        return self._times(gate / (1 + np.exp(-gate)) * up, names.format(parts[2]))

    def _experts(self, h: Array, p: str) -> Array:
        """Each token through its likeliest experts, weighed by their shares of the probability among themselves."""
        scores = self._times(h, p + "gate.weight")
        chosen = np.argsort(-scores, axis=-1)[:, : self.config["num_experts_per_tok"]]
        found = np.zeros_like(h)
        for t, experts in enumerate(chosen):
            shares = np.exp(scores[t, experts] - scores[t, experts].max())
            for e, share in zip(experts, shares / shares.sum(), strict=True):
                found[t] += share * self._dense(h[t : t + 1], f"{p}experts.{e}.{{}}.weight", ("w1", "w3", "w2"))[0]
        return found

    def greedy(self, tokens: list[int], count: int) -> tuple[list[int], float]:
        """The next `count` most likely tokens and their summed log-probability."""
        written: list[int] = []
        total = 0.0
        for _ in range(count):
            last = self.logits([*tokens, *written])[-1]
            token = int(last.argmax())
            total += float(last[token] - np.logaddexp.reduce(last))
            written.append(token)
        return written, total
