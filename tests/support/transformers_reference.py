"""What transformers itself reads and answers from a checkpoint folder; needs torch and transformers, 4.57 or 5."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from logos_cli.convert.verify import texts
from logos_cli.engines.engine import Engine, Request
from logos_cli.engines.sampling import Sampling

MOLECULES = ("CC(=O)Nc1ccc(O)cc1", "CC(=O)Oc1ccccc1C(=O)O", "O=C(O)c1ccc(NC(=O)c2ccccc2)cc1")
PROMPTS = [f"<MoleculeS>{smiles}<MoleculeE><ReverseReact>" for smiles in MOLECULES]
TEXTS = ["", "C" * 700, "<MoleculeS> C <MoleculeE>\n<React>", *texts(60)]
LENGTH = 60
Found = tuple[list[list[int]], list[list[int]]]  # ids of `TEXTS`, greedy tokens after each of `PROMPTS`


def of_transformers(folder: Path) -> Found:
    """Raises what transformers raises, and ValueError for weights that it would make up."""
    import torch
    import transformers

    transformers.logging.set_verbosity_error()
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    loaded: Any = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, output_loading_info=True)
    model, told = loaded[0].eval(), loaded[1]
    if told["missing_keys"]:
        raise ValueError(f"random numbers for {', '.join(sorted(told['missing_keys'])[:2])}")
    answers = []
    for prompt in PROMPTS:
        ids = torch.tensor([tokenizer(prompt)["input_ids"]])
        with torch.inference_mode():
            found = model.generate(
                ids, attention_mask=torch.ones_like(ids), do_sample=False, max_new_tokens=LENGTH, pad_token_id=0
            )
        answers.append(found[0, ids.shape[1] :].tolist())
    return [tokenizer(text)["input_ids"] for text in TEXTS], answers


def of_engine(engine: Engine) -> Found:
    """The same of one of our engines."""
    requests = [Request(row, engine.encode(prompt), [0]) for row, prompt in enumerate(PROMPTS)]
    found = {one.row: one for one in engine.generate(requests, Sampling(temperature=0, max_tokens=LENGTH), []) if one}
    return [list(engine.encode(text)) for text in TEXTS], [list(found[row].tokens) for row in range(len(PROMPTS))]
