"""/v1/completions and /v1/models through OpenAI's own client; texts and log-probabilities are those of the engine alone."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import openai
import pytest
from builders import Run
from served import Served

from logos_cli.serving.completion import Stops

pytestmark = pytest.mark.slow

PROMPTS = ["<MoleculeS>", "<MoleculeS>c1cc"]


@pytest.fixture(scope="module")
def client(server: Served) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{server.url}/v1", api_key="none", max_retries=0) as found:
        yield found


@pytest.fixture(scope="module")
def model(client: openai.OpenAI) -> str:
    (found,) = client.models.list().data
    assert found.id == "nano-int4" and found.owned_by == "logos"
    return found.id


def test_as_generate(client: openai.OpenAI, model: str, logos_here: Callable[..., Run], nano_int4: Path) -> None:
    """A list of prompts is a file of raw texts; a choice has its row's and sample's seed."""
    found = client.completions.create(
        model=model, prompt=PROMPTS, n=3, seed=4, max_tokens=25, temperature=1.3, top_p=0.9,
        extra_body={"top_k": 40, "repetition_penalty": 1.1},
    )  # fmt: skip
    flags = ("-n", "3", "--seed", "4", "--max-tokens", "25", "--temperature", "1.3", "--top-p", "0.9", "--top-k", "40")
    rows = "".join(json.dumps({"text": prompt}) + "\n" for prompt in PROMPTS)
    run = logos_here("generate", "raw", "-m", nano_int4, *flags, "--repetition-penalty", "1.1", stdin=rows)
    assert [choice.index for choice in found.choices] == list(range(6))
    assert [choice.text for choice in found.choices] == [record["text"] for record in run.lines]
    assert [choice.finish_reason for choice in found.choices] == [record["finish"] for record in run.lines]
    assert found.usage and found.usage.completion_tokens == sum(record["tokens"] for record in run.lines)
    assert found.usage.total_tokens == found.usage.prompt_tokens + found.usage.completion_tokens


def test_stop_texts_are_cut_wherever_they_begin(client: openai.OpenAI, model: str, server: Served) -> None:
    options: dict[str, Any] = {"model": model, "prompt": PROMPTS, "n": 4, "seed": 2, "temperature": 1.4, "max_tokens": 60}
    whole = [choice.text for choice in client.completions.create(**options).choices]
    stops = [whole[0][7:9], "<MoleculeE>"]  # from the middle of a token perhaps
    before = server.state.shared.engine.work.tokens
    cut = client.completions.create(stop=stops, **options).choices
    drawn = server.state.shared.engine.work.tokens - before
    for text, choice in zip(whole, cut, strict=True):
        ends = [text.find(stop) for stop in stops if stop in text]
        assert choice.text == (text[: min(ends)] if ends else text)
        assert choice.finish_reason == ("stop" if ends else "length")
    assert drawn < sum(len(server.state.shared.engine.encode(text)) for text in whole), "nothing is drawn behind a stop"


def test_logprobs_are_the_models(client: openai.OpenAI, model: str, server: Served) -> None:
    engine: Any = server.state.shared.engine
    (choice,) = client.completions.create(
        model=model, prompt="<MoleculeS>c1", seed=3, max_tokens=40, stop="<MoleculeE>", logprobs=3
    ).choices
    told = choice.logprobs
    assert told and told.tokens and told.token_logprobs and told.top_logprobs and told.text_offset
    assert "".join(told.tokens) == choice.text
    assert [choice.text[at : at + len(token)] for at, token in zip(told.text_offset, told.tokens, strict=True)] == told.tokens
    prompt = engine.encode("<MoleculeS>c1")
    ids = [list(engine.token_texts()).index(token) for token in told.tokens]
    expected = server.state.shared.do(lambda: engine.score(prompt, ids)).tolist()
    # Decoding and prefill use different kernels at int4, hence the tolerance.
    assert max(abs(one - other) for one, other in zip(told.token_logprobs, expected, strict=True)) < 0.05
    for token, value, tops in zip(told.tokens, told.token_logprobs, told.top_logprobs, strict=True):
        assert 2 <= len(tops) <= 3 and (token not in tops or tops[token] == value)
        assert max(tops.values()) >= value


@pytest.mark.parametrize("stream", [False, True])
def test_the_end_token_is_told_without_a_text(client: openai.OpenAI, model: str, server: Served, stream: bool) -> None:
    prompt = "<MoleculeS>CC(=O)Nc1ccc(O)cc1<MoleculeE><ReverseReact>"
    options: dict[str, Any] = {"model": model, "prompt": prompt, "temperature": 0, "max_tokens": 100, "logprobs": 1}
    found: Any = client.completions.create(stream=stream, **options)
    choices = [choice for chunk in (found if stream else [found]) for choice in chunk.choices]
    values = [value for choice in choices if choice.logprobs for value in choice.logprobs.token_logprobs or ()]
    text = "".join(choice.text for choice in choices)
    last = choices[-1].logprobs
    assert choices[-1].finish_reason == "stop" and last and last.tokens and last.tokens[-1] == ""
    assert (last.text_offset or [0])[-1] == len(text)
    engine: Any = server.state.shared.engine
    ids = (*engine.encode(text)[len(engine.encode("")) :], engine.end)
    expected = server.state.shared.do(lambda: engine.score(engine.encode(prompt), ids)).tolist()
    assert values == pytest.approx(expected, abs=0.05), "decoding and prefill use different kernels at int4"


def test_without_top_logprobs(client: openai.OpenAI, model: str) -> None:
    (choice,) = client.completions.create(model=model, prompt="<MoleculeS>", seed=3, max_tokens=5, logprobs=0).choices
    assert choice.logprobs and len(choice.logprobs.token_logprobs or ()) == 5 and choice.logprobs.top_logprobs is None


@pytest.mark.parametrize("stop", [None, "<MoleculeE>", ["c1", "CCC"]])
def test_a_stream_is_the_answer_in_pieces(client: openai.OpenAI, model: str, stop: Any) -> None:
    options: dict[str, Any] = {"model": model, "prompt": PROMPTS, "n": 3, "seed": 8, "max_tokens": 40, "stop": stop}
    whole = client.completions.create(logprobs=1, **options)
    texts: dict[int, str] = {}
    offsets: dict[int, list[int]] = {}
    ended: dict[int, str] = {}
    usage, chunks = None, 0
    for chunk in client.completions.create(stream=True, stream_options={"include_usage": True}, logprobs=1, **options):
        chunks += 1
        usage = chunk.usage or usage
        for choice in chunk.choices:
            assert choice.index not in ended
            texts[choice.index] = texts.get(choice.index, "") + choice.text
            offsets.setdefault(choice.index, []).extend((choice.logprobs and choice.logprobs.text_offset) or ())
            if choice.finish_reason:
                ended[choice.index] = choice.finish_reason
    assert [texts[index] for index in range(6)] == [choice.text for choice in whole.choices]
    assert [ended[index] for index in range(6)] == [choice.finish_reason for choice in whole.choices]
    assert [offsets[index] for index in range(6)] == [c.logprobs and c.logprobs.text_offset for c in whole.choices]
    assert usage == whole.usage and chunks > 12


def test_seeds(client: openai.OpenAI, model: str) -> None:
    def text(**options: Any) -> str:
        found: str = client.completions.create(model=model, prompt="<MoleculeS>", max_tokens=40, **options).choices[0].text
        return found

    assert text(seed=1) == text(seed=1) != text(seed=2)
    assert len({text() for _ in range(4)}) > 1, "without a seed each has another"
    assert len(client.completions.create(model=model, prompt="<MoleculeS>").choices[0].text) <= 16 * 16, "16 tokens, as OpenAI"


@pytest.mark.parametrize(
    "options, said",
    [
        ({"prompt": []}, "prompt is an empty list"),
        ({"prompt": [[1, 2]]}, "prompt is a list of other things"),
        ({"n": 0}, "n is 0"),
        ({"n": 300}, "n is 300"),
        ({"max_tokens": 300}, "it takes 1 to 200"),
        ({"temperature": -1}, "temperature -1 is out of range"),
        ({"top_p": 0}, "top_p 0 is out of range"),
        ({"stop": ["a"] * 5}, "5 stops"),
        ({"stop": ""}, "stop takes a text"),
        ({"logprobs": 6}, "logprobs is 6"),
        ({"echo": True}, "echo is not done"),
        ({"presence_penalty": 0.5}, "presence_penalty is not done"),
        ({"best_of": 3}, "best_of is not done"),
        ({"logit_bias": {"1": 5}}, "logit_bias is not done"),
        ({"extra_body": {"min_p": 0.1}}, "no option 'min_p'"),
        ({"prompt": "C" * 70_000}, "prompt 1 is of 70,000 characters"),
        ({"prompt": "CN" * 3_000}, "the model's context is 1,024 tokens"),
        ({"n": 256, "stream": True, "max_tokens": 200, "prompt": ["C"] * 5}, "tokens that are told one by one"),
    ],
)
def test_misuse(client: openai.OpenAI, model: str, options: dict[str, Any], said: str) -> None:
    with pytest.raises(openai.BadRequestError, match=said):
        client.completions.create(**{"model": model, "prompt": "C"} | options)


def test_what_changes_nothing_is_taken(client: openai.OpenAI, model: str) -> None:
    client.completions.create(
        model=model, prompt="C", max_tokens=1, echo=False, presence_penalty=0, frequency_penalty=0.0, user="somebody",
        best_of=1, suffix="", logit_bias={},
    )  # fmt: skip


def test_another_model(client: openai.OpenAI) -> None:
    with pytest.raises(openai.NotFoundError, match="no model 'gpt'; this server has nano-int4"):
        client.completions.create(model="gpt", prompt="C")


def test_stops_that_may_be_beginning() -> None:
    stops = Stops(["END", "E!"], lambda tokens: bytes(tokens).decode("utf-8", "replace"))
    assert [stops.sure(text) for text in ("abc", "abE", "aEN", "aENx", "aé\ufffd")] == [3, 2, 1, 4, 2]
    assert stops.cut("abE!cEND") == "ab" and stops.cut("abEN") == "abEN"
    assert stops.among_last(list(b"xxEND")) and not stops.among_last(list(b"xENDx")[:3])
