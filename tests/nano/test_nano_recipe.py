"""nano's recipe where it needs neither torch nor the data: forms, augmentation, packing, batches, reading of answers."""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from rdkit import Chem

from logos_cli.chemistry.grammar import MARKERS as GRAMMAR
from logos_cli.chemistry.residues import RESIDUE_SMILES, STANDARD
from logos_cli.nano.recipe import forms
from logos_cli.nano.recipe.answers import chain_of, precision_recall, read_material, read_search, repeated, voted
from logos_cli.nano.recipe.augment import any_octave, around_pocket, crop, transplant
from logos_cli.nano.recipe.batches import KINDS, Batches, Corpus, Sizes
from logos_cli.nano.recipe.data import read_fasta, read_lines
from logos_cli.nano.recipe.forms import Protein
from logos_cli.nano.recipe.packing import fill, pack
from logos_cli.nano.recipe.vocabulary import MARKERS, train_tokenizer

GIVEN = Protein.of_record("MKGSF", [2, 4])  # K and S


def test_markers_are_the_grammars() -> None:
    assert set(MARKERS) == set(GRAMMAR)


def test_pocket_forms() -> None:
    one = "<ProteinS>M<PocketS>K<PocketE>G<PocketS>S<PocketE>F<ProteinE>"
    two = "<ProteinS>M<PocketS>NCCCC[C@H](N)C(=O)O<PocketE>G<PocketS>N[C@@H](CO)C(=O)O<PocketE>F<ProteinE>"
    texts = [forms.pocket(GIVEN, form).prompt + forms.pocket(GIVEN, form).answer for form in (1, 2, 3, 4)]
    assert texts == [one, two, f"{one}<Trans>{two}", f"<ProteinS>MKGSF<ProteinE><Search>{one}"]


def test_search_prompt_is_the_published_one() -> None:
    document = forms.pocket(GIVEN, 4)
    assert document.kind == "search"
    assert document.prompt == "<ProteinS>MKGSF<ProteinE><Search><ProteinS>"


def test_complex_forms() -> None:
    assert forms.complex_prompt(GIVEN, 1) == "<ProteinS>MKGSF<ProteinE><MoleculeS>"
    assert forms.complex_prompt(GIVEN, 2) == forms.wrapped(GIVEN) + "<MoleculeS>"
    assert forms.complex_prompt(GIVEN, 3) == forms.wrapped(GIVEN, smiles=True) + "<MoleculeS>"
    assert forms.complex_document(GIVEN, "CCO", 1).answer == "CCO<MoleculeE>"


def test_material_and_chain_forms() -> None:
    material = forms.material("[Zn]", ["CC", "O"])
    text = "<MaterialS><MetalS>[Zn]<MetalE><MoleculeS>CC<MoleculeE><MoleculeS>O<MoleculeE><MaterialE>"
    assert material.prompt + material.answer == text
    assert read_material(material.answer) == ("[Zn]", ["CC", "O"])
    assert forms.chain("antibody", "EVQL").answer == "EVQL<AntibodyE>"


def test_every_kind_of_document_has_a_share() -> None:
    made = [forms.pocket(GIVEN, form) for form in (1, 4)] + [forms.complex_document(GIVEN, "C", 1), forms.molecule("C")]
    made += [forms.material("[Al]", ["C"]), forms.chain("protein", "M"), forms.chain("antibody", "M")]
    assert {document.kind for document in made} | {"retro", "react"} == set(KINDS)


def test_residues_are_the_amino_acids_that_rdkit_builds() -> None:
    assert "".join(sorted(RESIDUE_SMILES)) == STANDARD
    for letter, smiles in RESIDUE_SMILES.items():
        assert Chem.MolToSmiles(Chem.MolFromSequence(letter)) == smiles


@pytest.mark.parametrize("seed", range(20))
def test_crops_keep_the_pocket_where_it_was(seed: int) -> None:
    rng = random.Random(seed)
    sequence = "".join(rng.choices(STANDARD, k=120))
    given = Protein(sequence, frozenset(rng.sample(range(120), 5)))
    inside = {sequence[i - 2 : i + 3] for i in given.pocket}
    shown = crop(given, 40, rng)
    assert len(shown.sequence) == 40
    assert shown.sequence in sequence
    assert shown.pocket
    assert all(any(shown.sequence[i] == near[2] for near in inside if len(near) == 5) for i in shown.pocket if 2 <= i < 38)
    first = sequence.index(shown.sequence)
    assert shown.pocket == {i - first for i in given.pocket if first <= i < first + len(shown.sequence)}


def test_stretches_of_every_octave_bring_as_many_residues() -> None:
    rng = random.Random(0)
    sizes = [any_octave(8, 128, rng) for _ in range(40_000)]
    assert (min(sizes), max(sizes)) == (8, 127)
    totals = [sum(size for size in sizes if low <= size < 2 * low) for low in (8, 16, 32, 64)]
    assert max(totals) / min(totals) < 1.2


def test_the_whole_pocket_is_kept_where_there_is_room() -> None:
    rng = random.Random(0)
    given = Protein("A" * 400, frozenset({150, 200, 230}))
    for longest in (90, 100, 330, 500):
        shown = around_pocket(given, longest, rng)
        assert len(shown.sequence) == min(longest, 400)
        assert len(shown.pocket) == 3
    assert 0 < len(around_pocket(given, 40, rng).pocket) <= 2


def test_a_transplant_leaves_the_pocket_and_its_neighbours() -> None:
    given = Protein("ACDEFGHIKLMNPQRSTVWY", frozenset({5, 12}))
    shown = transplant(given, "WWWWW", 1, random.Random(0))
    assert shown.sequence == "WWWWFGHWWWWNPQWWWWWW"
    assert shown.pocket == given.pocket


def test_documents_are_packed_whole() -> None:
    rng = random.Random(1)
    lengths = [rng.randint(5, 64) for _ in range(2000)]
    windows = pack(lengths, range(2000), 64)
    assert sorted(i for window in windows for i in window) == list(range(2000))
    assert max(sum(lengths[i] for i in window) for window in windows) <= 64
    assert sum(lengths) / (64 * len(windows)) > 0.95


def test_a_document_longer_than_the_window_is_refused() -> None:
    with pytest.raises(ValueError, match="65 tokens"):
        pack([65], [0], 64)


def test_short_documents_fill_the_room_that_long_ones_leave() -> None:
    lengths = [50, 10, 10, 30]
    windows = [[0]]
    assert fill(windows, lengths, [1, 2, 3], 64) == [1, 3]
    assert windows == [[0, 2]]


def corpus() -> Corpus:
    """Two kinds: 300 documents of 10 tokens, whose prompts have 3, and 20 of 50 with prompts of 20. Token = document."""
    lengths, prompts = np.array([10] * 300 + [50] * 20), np.array([3] * 300 + [20] * 20)
    kinds = np.array([KINDS.index("molecule")] * 300 + [KINDS.index("search")] * 20, np.uint8)
    tokens = np.repeat(np.arange(320), lengths).astype(np.uint16)
    return Corpus(tokens, np.concatenate([[0], np.cumsum(lengths)]), prompts, kinds)


def batches(seed: int = 0) -> Batches:
    return Batches(corpus(), Sizes(256, (32, 64)), {"molecule": 0.5, "search": 0.5}, 20_000, 999, seed)


def test_a_batch_depends_on_seed_and_step_alone() -> None:
    first, second = batches(), batches()
    assert len(first) == len(second)
    for step in reversed(range(len(second))):
        for a, b in zip(vars(first(step)).values(), vars(second(step)).values(), strict=True):
            np.testing.assert_array_equal(a, b)
    assert any(
        (first(step).x != batches(1)(step).x).any() for step in range(3) if first(step).x.shape == batches(1)(step).x.shape
    )


def test_batches_hold_whole_documents_in_their_shares() -> None:
    made, tokens = batches(), Counter[int]()
    for step in range(len(made)):
        batch = made(step)
        assert batch.x.size == 256
        assert batch.x.shape[1] in (32, 64)
        for row in batch.x:
            sizes = Counter(row.tolist())
            del sizes[999]
            for document, count in sizes.items():
                assert count % (10 if document < 300 else 50) == 0
                tokens[int(document) >= 300] += count
    assert abs(tokens[True] / tokens.total() - 0.5) < 0.05


def test_padding_and_first_tokens_have_no_weight_and_prompts_little() -> None:
    made = batches()
    for step in range(len(made)):
        batch = made(step, prompt_weight=0.25)
        assert set(np.unique(batch.weights)) <= {0.0, 0.25, 1.0}
        assert not batch.weights[batch.y == 999].any()
        inside = batch.weights > 0
        assert (batch.x[inside] == batch.y[inside]).all()  # never from one document to the next
        for document, prompt, size in ((batch.y < 300, 3, 10), ((batch.y >= 300) & (batch.y < 999), 20, 50)):
            weights = batch.weights[document]
            assert (weights == 0.25).sum() * (size - prompt) == (weights == 1.0).sum() * (prompt - 1)


def test_proteins_stay_one_token_a_residue() -> None:
    texts = ["CCNC(=O)CNCCc1ccccc1", "CSCCSCCFCCNN", "FCCNSNSCCNCC", "CCOC(=O)CCNCC(=O)OCc1ccccc1"] * 20
    tokenizer = train_tokenizer(texts, 290)
    assert len(tokenizer.encode("CCNCC").ids) < 6  # BOS and fewer than five
    for pair in ("CS", "SC", "FC", "NN", "NS", "SN"):
        assert len(tokenizer.encode(pair, add_special_tokens=False).ids) == 2
    assert tokenizer.decode(tokenizer.encode("CSCCFN").ids) == "CSCCFN"


def test_search_answers_are_read() -> None:
    answer = forms.pocket(GIVEN, 4).answer
    found = read_search(answer)
    assert found is not None
    assert (found.sequence, found.pocket) == ("MKGSF", (2, 4))
    assert repeated(answer, "MKGSF") == frozenset({1, 3})
    assert repeated(answer, "MKGSY") is None


@pytest.mark.parametrize("text", ["MKGSF", "MK<PocketS>G<ProteinE>", "M<PocketS>KG<PocketE><ProteinE>", "M<Trans>K<ProteinE>"])
def test_broken_search_answers_are_none(text: str) -> None:
    assert read_search(text) is None


def test_votes_precision_and_recall() -> None:
    assert voted([{1, 2}, {2, 3}, {2}, {1}]) == {1, 2}
    assert precision_recall({1, 2, 3, 4}, {1, 2, 9}) == (0.5, 2 / 3)
    assert precision_recall(set(), {1}) == (0.0, 0.0)


def test_chains_and_materials_that_are_none() -> None:
    assert chain_of("EVQLX<AntibodyE>", "Antibody") is None
    assert chain_of("EVQL", "Antibody") is None
    assert chain_of("EVQL<AntibodyE>", "Antibody") == "EVQL"
    assert read_material("<MetalS>[Al]<MetalE><MaterialE>") is None
    assert read_material("<MetalS>[Al]<MetalE><MoleculeS>C<MoleculeE>") is None


def test_fasta_and_lines(tmp_path: Path) -> None:
    path = tmp_path / "a.fasta"
    path.write_text(">one\nMK\nGS\n>two\nF\n", encoding="utf-8")
    assert read_fasta(path) == ["MKGS", "F"]
    assert read_lines(path)[0] == ">one"
