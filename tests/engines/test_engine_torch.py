"""The checkpoint itself through torch, where torch is installed, against our GGUF of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from builders import Run

from logos_cli.engines.engine import EngineSettings, Request
from logos_cli.engines.sampling import Sampling


def test_without_torch_the_message_names_the_remedy(
    logos: Callable[..., Run], tiny: Path, tmp_path: Path, monkeypatch: Any
) -> None:
    (tmp_path / "torch.py").write_text("raise ImportError('no torch here')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    found = logos("bench", "accuracy", "nano", "--baseline", tiny)
    assert found.code == 1 and "pip install torch" in found.err and found.err.count("\n") == 1


def test_the_checkpoint_and_its_gguf_agree(tiny: Path, tiny_gguf: Callable[[str], Path], open_model: Any) -> None:
    pytest.importorskip("torch")
    pytest.importorskip("transformers")
    from logos_cli.engines.torch_engine import TorchEngine

    reference, ours = TorchEngine(tiny, EngineSettings(device="cpu", threads=2)), open_model(tiny_gguf("f32"))
    text = "<MoleculeS>CC(=O)Oc1ccccc1C(=O)O<MoleculeE><ReverseReact>" * 3
    tokens = reference.encode(text)
    assert tokens == ours.encode(text) and reference.token_texts() == ours.token_texts()
    assert np.abs(reference.logits(tokens) - ours.logits(tokens)).max() < 1e-3
    request = [Request(0, tokens[:12], range(3))]
    for sampling in (Sampling(temperature=0, max_tokens=12), Sampling(repetition_penalty=1.1, max_tokens=12)):
        answers = [
            sorted((g.sample, g.text, g.finish) for g in e.generate(request, sampling, ()) if g) for e in (reference, ours)
        ]
        assert answers[0] == answers[1]
