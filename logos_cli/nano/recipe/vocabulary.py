"""nano's tokenizer: a byte-level BPE behind the Llama-3 split pattern, with LOGOS's markers as special tokens."""

from __future__ import annotations

from collections.abc import Iterable

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, processors, trainers

# Llama-3's split pattern, as in the tokenizer.json of its checkpoints.
SPLIT = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
# Where no merge is learned: between two letters that are both residues, but for CC, CN and NC, without which SMILES grow
# by a sixth. A protein then stays one token a residue (1.003 residues each), and its copy with pocket markers in
# between has the same tokens; with all merges one copy in four of up to 200 residues has not, with these one in fifteen.
APART = "(?<=[ADEFGHIKLMPQRSTVWY])(?=[ACDEFGHIKLMNPQRSTVWY])|(?<=C)(?=[ADEFGHIKLMPQRSTVWY])|(?<=N)(?=[ADEFGHIKLMNPQRSTVWY])"
BOS, EOS, PAD = "<|begin_of_text|>", "<|end_of_text|>", "<|eot_id|>"
MARKERS = [
    f"<{name}{edge}>" for name in ("Protein", "Antibody", "Molecule", "Pocket", "Material", "Metal") for edge in ("S", "E")
] + ["<React>", "<ReverseReact>", "<Trans>", "<Search>"]


def train_tokenizer(texts: Iterable[str], size: int) -> Tokenizer:
    """A tokenizer of exactly `size` ids: 256 bytes, learned merges, then BOS, EOS, PAD and the markers.

    `texts` are SMILES and sequences without markers: a marker is never part of a merge.
    """
    special = [BOS, EOS, PAD, *MARKERS]
    tokenizer = Tokenizer(models.BPE(ignore_merges=True))
    split = pre_tokenizers.Split(Regex(SPLIT), "isolated")
    to_bytes = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([split, pre_tokenizers.Split(Regex(APART), "isolated"), to_bytes])
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=size - len(special), initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()), show_progress=False
    )
    tokenizer.train_from_iterator(texts, trainer)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([split, to_bytes])  # as in Llama-3: llama.cpp knows no other
    tokenizer.add_special_tokens([AddedToken(name, normalized=False, special=True) for name in special])
    bos = tokenizer.token_to_id(BOS)
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{BOS} $A", pair=f"{BOS} $A {BOS}:1 $B:1", special_tokens=[(BOS, bos)]
    )
    if tokenizer.get_vocab_size() != size:
        raise ValueError(f"the texts gave {tokenizer.get_vocab_size()} tokens, not {size}: too little text")
    return tokenizer
