"""Figures of antibodies, of binding-site answers, and perplexity of every modality."""

from __future__ import annotations

import math
import statistics
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from logos_cli.engines.engine import Engine
from logos_cli.nano.recipe import forms
from logos_cli.nano.recipe.answers import chain_of, precision_recall, repeated, voted
from logos_cli.nano.recipe.asking import ask, sampling_for
from logos_cli.nano.recipe.data import read_fasta, read_json_lines, read_lines
from logos_cli.nano.recipe.forms import Document, Protein

EOS = "<|end_of_text|>"
BINS = (100, 150, 200, 300, 600)  # residues, the upper ends
SHORT = 200


def antibody_figures(engine: Engine, data: Path, count: int) -> dict[str, Any]:
    [answers] = ask(engine, ["<AntibodyS>"], count, sampling_for(engine, "antibody", 400), ["<AntibodyE>"])
    chains = [chain for answer in answers if (chain := chain_of(answer.text, "Antibody"))]
    good = [chain for chain in chains if 95 <= len(chain) <= 140]
    train = set(read_fasta(data / "antibodies" / "train.fasta.gz"))
    return {
        "n": count, "ended": sum(answer.text.endswith("<AntibodyE>") for answer in answers) / count,
        "standard": len(chains) / count, "good": len(good) / count, "unique": len(set(good)) / max(1, len(good)),
        "novel": len(set(good) - train) / max(1, len(set(good))),
        "median_length": statistics.median(map(len, chains)) if chains else 0,
    }  # fmt: skip


def search_figures(engine: Engine, data: Path, samples: int, temperature: float | None) -> dict[str, Any]:
    """Exact repetition by length of protein; residues per answer and by vote, of the answers that repeat exactly."""
    proteins = [Protein.of_record(r["sequence"], r["pocket"]) for r in read_json_lines(data / "pockets" / "valid.jsonl.gz")]
    longest = max(len(one.sequence) + 2 * len(one.pocket) for one in proteins)
    sampling = sampling_for(engine, "pocket", 2 * longest, temperature)
    prompts = [forms.pocket(one, 4).prompt for one in proteins]
    answers = ask(engine, prompts, samples, sampling)
    marked = [[repeated(a.text, one.sequence) for a in group] for one, group in zip(proteins, answers, strict=True)]
    rates = [sum(found is not None for found in group) / max(1, len(group)) for group in marked]
    return {
        "temperature": sampling.temperature, "samples": samples, "proteins": len(proteins),
        "repeated": by_length(proteins, rates), **residue_figures(proteins, marked),
    }  # fmt: skip


def by_length(proteins: Sequence[Protein], rates: Sequence[float]) -> dict[str, Any]:
    """The mean rate of all proteins, of those of up to 200 residues, and of each bin of lengths."""
    bins: dict[str, list[float]] = defaultdict(list)
    for one, rate in zip(proteins, rates, strict=True):
        size = len(one.sequence)
        bins["all"].append(rate)
        if size <= SHORT:
            bins[f"up to {SHORT}"].append(rate)
        low, high = next((a + 1, b) for a, b in zip((0, *BINS), BINS, strict=False) if size <= b)
        bins[f"{low}–{high}"].append(rate)
    return {name: {"n": len(found), "exact": statistics.mean(found)} for name, found in sorted(bins.items())}


def residue_figures(proteins: Sequence[Protein], marked: Sequence[Sequence[frozenset[int] | None]]) -> dict[str, Any]:
    """Precision and recall averaged over proteins with an answer that repeats; `chance` is the precision of a guess."""
    single, merged, chance = [], [], []
    for one, group in zip(proteins, marked, strict=True):
        exact = [found for found in group if found is not None]
        if exact:
            pairs = [precision_recall(found, one.pocket) for found in exact]
            single.append(tuple(statistics.mean(column) for column in zip(*pairs, strict=True)))
            merged.append(precision_recall(voted(exact), one.pocket))
            chance.append(len(one.pocket) / len(one.sequence))

    def means(pairs: Sequence[tuple[float, ...]]) -> dict[str, float]:
        columns = list(zip(*pairs, strict=True)) or [(0.0,), (0.0,)]
        return {"precision": statistics.mean(columns[0]), "recall": statistics.mean(columns[1])}

    return {
        "answered": len(merged), "per_answer": means(single), "merged": means(merged),
        "chance": statistics.mean(chance) if chance else 0.0,
    }  # fmt: skip


def valid_documents(data: Path, limit: int) -> dict[str, list[Document]]:
    """Validation documents of every kind, SMILES as published (an answer in training is aligned with its prompt)."""
    reactions = read_json_lines(data / "reactions" / "uspto50k_valid.jsonl.gz")[:limit]
    pockets = [Protein.of_record(r["sequence"], r["pocket"]) for r in read_json_lines(data / "pockets" / "valid.jsonl.gz")]
    complexes = read_json_lines(data / "complexes" / "valid.jsonl.gz")
    bound = [Protein.of_record(r["sequence"], r["pocket"]) for r in complexes]
    side = forms.molecules
    documents = [
        *(forms.molecule(text) for text in read_lines(data / "molecules" / "valid.smi")[:limit]),
        *(Document("retro", side([r["product"]]) + "<ReverseReact>", side(r["reactants"])) for r in reactions),
        *(Document("react", side(r["reactants"]) + "<React>", side([r["product"]])) for r in reactions),
        *(forms.pocket(one, 4) for one in pockets),
        *(forms.pocket(one, form) for one in pockets for form in (1, 2, 3)),
        *(
            forms.complex_document(one, r["ligand"], form)
            for one, r in zip(bound, complexes, strict=True)
            for form in (1, 2, 3)
        ),
        *(forms.chain("protein", text) for text in read_fasta(data / "proteins" / "valid.fasta.gz")[:limit]),
        *(forms.chain("antibody", text) for text in read_fasta(data / "antibodies" / "valid.fasta.gz")[:limit]),
        *(forms.material(r["metal"], r["linkers"]) for r in read_json_lines(data / "materials" / "valid.jsonl.gz")[:limit]),
    ]
    found: dict[str, list[Document]] = defaultdict(list)
    for document in documents:
        found[document.kind].append(document)
    return found


def perplexity_figures(engine: Engine, data: Path, limit: int) -> dict[str, Any]:
    """Perplexity per token of the answers, the end token included. Documents longer than the context are left out."""
    end = engine.marker(EOS)
    figures: dict[str, Any] = {}
    for kind, documents in valid_documents(data, limit).items():
        total, tokens, used = 0.0, 0, 0
        for document in documents:
            prompt = engine.encode(document.prompt)
            answer = (*engine.encode(document.prompt + document.answer)[len(prompt) :], end)
            if len(prompt) + len(answer) <= engine.info.context:
                total, tokens, used = total + float(engine.score(prompt, answer).sum()), tokens + len(answer), used + 1
        figures[kind] = {
            "documents": used, "left_out": len(documents) - used, "tokens": tokens,
            "perplexity": math.exp(-total / max(1, tokens)),
        }  # fmt: skip
    return figures
