"""The prompt contract against transformers itself: ids of AutoTokenizer and greedy answers, of both engines.

pytest -m reference        # needs torch and transformers, 4.57 or 5
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from builders import Run
from checkpoint_variants import AS_NANO, OTHER_IDS, Change, copy_of_nano
from transformers_reference import of_engine, of_transformers

pytestmark = [pytest.mark.reference, pytest.mark.filterwarnings("ignore")]
VARIANTS: dict[str, Change] = AS_NANO | OTHER_IDS
# What version 4 cannot read, or reads otherwise by design: it knows no rope_parameters, and puts a token of its own before
# prompts where no file names any.
NOT_WITH_4 = {"rope_parameters alone", "no names of tokens", "eos nowhere but in generation_config", "no prefix"}


@pytest.mark.parametrize("name", VARIANTS)
def test_both_engines_ask_and_answer_as_transformers(
    logos_here: Callable[..., Run], open_model: Any, tmp_path: Path, name: str
) -> None:
    pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    if transformers.__version__.startswith("4.") and name in NOT_WITH_4:
        pytest.skip("transformers 4 does not read it")
    folder = copy_of_nano(tmp_path / "variant", VARIANTS[name])
    expected = of_transformers(folder)
    for to in ("gguf", "onnx"):
        out = tmp_path / f"model-{to}{'.gguf' if to == 'gguf' else ''}"
        done = logos_here("convert", folder, "-o", out, "--to", to, "--type", "f32")
        assert done.code == 0, done.err
        assert of_engine(open_model(out)) == expected
