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

from logos_cli.convert.verify import texts
from logos_cli.engines.engine import Request
from logos_cli.engines.sampling import Sampling

pytestmark = [pytest.mark.reference, pytest.mark.filterwarnings("ignore")]
MOLECULES = ("CC(=O)Nc1ccc(O)cc1", "CC(=O)Oc1ccccc1C(=O)O", "O=C(O)c1ccc(NC(=O)c2ccccc2)cc1")
PROMPTS = [f"<MoleculeS>{smiles}<MoleculeE><ReverseReact>" for smiles in MOLECULES]
TEXTS = ["", "C" * 700, "<MoleculeS> C <MoleculeE>\n<React>", *texts(60)]
LENGTH = 60
VARIANTS: dict[str, Change] = AS_NANO | OTHER_IDS
# What version 4 cannot read, or reads otherwise by design: it knows no rope_parameters, and puts a token of its own before
# prompts where no file names any.
NOT_WITH_4 = {"rope_parameters alone", "no names of tokens", "eos nowhere but in generation_config", "no prefix"}


def expected(folder: Path) -> tuple[list[list[int]], list[list[int]]]:
    """(ids of `TEXTS`, greedy tokens after each of `PROMPTS`) of transformers, without any end."""
    torch, transformers = pytest.importorskip("torch"), pytest.importorskip("transformers")
    transformers.logging.set_verbosity_error()
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    model = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    answers = []
    for prompt in PROMPTS:
        ids = torch.tensor([tokenizer(prompt)["input_ids"]])
        with torch.inference_mode():
            found = model.generate(
                ids, attention_mask=torch.ones_like(ids), do_sample=False, max_new_tokens=LENGTH, pad_token_id=0
            )
        answers.append(found[0, ids.shape[1] :].tolist())
    return [tokenizer(text)["input_ids"] for text in TEXTS], answers


@pytest.mark.parametrize("name", VARIANTS)
def test_both_engines_ask_and_answer_as_transformers(
    logos_here: Callable[..., Run], open_model: Any, tmp_path: Path, name: str
) -> None:
    transformers = pytest.importorskip("transformers")
    if transformers.__version__.startswith("4.") and name in NOT_WITH_4:
        pytest.skip("transformers 4 does not read it")
    folder = copy_of_nano(tmp_path / "variant", VARIANTS[name])
    ids, answers = expected(folder)
    for to in ("gguf", "onnx"):
        out = tmp_path / f"model-{to}{'.gguf' if to == 'gguf' else ''}"
        done = logos_here("convert", folder, "-o", out, "--to", to, "--type", "f32")
        assert done.code == 0, done.err
        engine = open_model(out)
        assert [list(engine.encode(text)) for text in TEXTS] == ids
        requests = [Request(row, engine.encode(prompt), [0]) for row, prompt in enumerate(PROMPTS)]
        found = {one.row: one for one in engine.generate(requests, Sampling(temperature=0, max_tokens=LENGTH), [])}
        assert [list(found[row].tokens) for row in range(len(PROMPTS))] == answers
