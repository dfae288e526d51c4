"""Write a trained Nano as a Hugging Face checkpoint: config, tokenizer, sampling table, weights.

    python -m logos_cli.nano.recipe.export WORK OUT

`train --export` does so at its end; this writes what WORK/state.pt holds now, also of a run that still goes on.
"""

from __future__ import annotations

import argparse
import json
import shutil
from pathlib import Path

import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer

from logos_cli.nano.recipe.model import Nano, Shape
from logos_cli.nano.recipe.vocabulary import BOS, EOS, MARKERS, PAD

# The repetition penalty stays off: a reaction's answer repeats its prompt. Temperature 1 draws from what was learned; where
# answers are to be right rather than varied, unlikely tokens are cut off. Chosen on validation data, see README.md.
OPEN = {"temperature": 1.0, "top_k": 0, "top_p": 1.0, "repetition_penalty": 1.0}
SAMPLING = {
    **{name: OPEN for name in ("molecule", "protein", "antibody", "ligand", "raw")},
    **{name: OPEN | {"top_p": 0.9} for name in ("retro", "react")},
    "material": OPEN | {"temperature": 0.8, "top_p": 0.85},
    "pocket": OPEN | {"temperature": 0.8},
}


def write_checkpoint(out: Path, model: Nano, work: Path) -> None:
    """Write the folder `out`; `work` holds tokenizer.json."""
    out.mkdir(parents=True, exist_ok=True)
    tokenizer = Tokenizer.from_file(str(work / "tokenizer.json"))
    bos, eos, pad = (tokenizer.token_to_id(name) for name in (BOS, EOS, PAD))
    shape = model.shape
    config = {
        "architectures": ["LlamaForCausalLM"], "model_type": "llama", "torch_dtype": "bfloat16",
        "vocab_size": shape.vocabulary, "hidden_size": shape.hidden, "intermediate_size": shape.ffn,
        "num_hidden_layers": shape.layers, "num_attention_heads": shape.heads, "num_key_value_heads": shape.kv_heads,
        "head_dim": shape.head, "max_position_embeddings": shape.context, "rms_norm_eps": shape.epsilon,
        "rope_theta": shape.theta, "rope_scaling": None, "tie_word_embeddings": False, "hidden_act": "silu",
        "attention_bias": False, "mlp_bias": False, "bos_token_id": bos, "eos_token_id": eos, "pad_token_id": pad,
    }  # fmt: skip
    names = {"bos_token": BOS, "eos_token": EOS, "pad_token": PAD}
    side = {**names, "tokenizer_class": "PreTrainedTokenizerFast", "model_max_length": shape.context,
            "clean_up_tokenization_spaces": False}  # fmt: skip
    for name, document in {
        "config.json": config,
        "generation_config.json": {"bos_token_id": bos, "eos_token_id": eos, "pad_token_id": pad},
        "tokenizer_config.json": side,
        "special_tokens_map.json": {**names, "additional_special_tokens": MARKERS},
        "logos_sampling.json": SAMPLING,
    }.items():
        (out / name).write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    shutil.copyfile(work / "tokenizer.json", out / "tokenizer.json")
    save_file(model.checkpoint_tensors(), str(out / "model.safetensors"), metadata={"format": "pt"})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("work", type=Path)
    parser.add_argument("out", type=Path)
    args = parser.parse_args()
    weights = torch.load(args.work / "state.pt", map_location="cpu", weights_only=True)["model"]
    layers = 1 + max(int(name.split(".")[1]) for name in weights if name.startswith("layers."))
    model = Nano(Shape(len(weights["embed_tokens.weight"]), layers=layers))
    model.load_state_dict(weights)
    write_checkpoint(args.out, model, args.work)


if __name__ == "__main__":
    main()
