"""The tools through the SDK's own client, over stdio and over HTTP; their answers are those of the commands."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from builders import Run
from served import Served, served

pytest.importorskip("mcp", reason="the extra mcp is not installed")

import httpx2
from mcp import Client
from mcp.client.stdio import StdioServerParameters, stdio_client
from mcp.client.streamable_http import streamable_http_client

pytestmark = pytest.mark.slow

NAMES = ["predict_reactants", "predict_product", "generate_molecules", "find_pocket", "score_sequence"]
PRODUCT, LYSOZYME = "CC(=O)Nc1ccc(O)cc1", "KVFGRCELAAAMKRHGLDNYRGYSLGNWVCAAKFESNFNT"
Ask = Callable[[Callable[[Client], Awaitable[Any]]], Any]


def over(transport: Callable[[], Any]) -> Ask:
    """Does something with a client that is connected for it."""

    async def done(work: Callable[[Client], Awaitable[Any]]) -> Any:
        async with Client(transport()) as client:
            return await work(client)

    return lambda work: asyncio.run(done(work))


@pytest.fixture(scope="module")
def http(nano_int4: Path) -> Iterator[Served]:
    with served(nano_int4, agents=True) as found:
        yield found


@pytest.fixture(params=["stdio", "http"])
def ask(request: pytest.FixtureRequest, http: Served, nano_int4: Path) -> Ask:
    if request.param == "http":
        return over(lambda: f"{http.url}/mcp")
    arguments = ["-m", "logos_cli", "serve", str(nano_int4), "--mcp", "stdio", "--threads", "1", "--max-tokens", "200"]
    return over(lambda: stdio_client(StdioServerParameters(command=sys.executable, args=arguments)))


async def told(client: Client, name: str, **given: Any) -> Any:
    """What a tool answers, which stands in its text too."""
    found = await client.call_tool(name, given)
    (text,) = found.content
    assert text.type == "text"
    assert not found.is_error, text.text
    assert json.loads(text.text) == found.structured_content and len(text.text) < 4000
    return found.structured_content


async def refused(client: Client, name: str, **given: Any) -> str:
    found = await client.call_tool(name, given)
    (text,) = found.content
    assert found.is_error and text.type == "text" and "\n" not in text.text
    return text.text


def test_tools_and_their_answers(ask: Ask, logos_here: Callable[..., Run], nano_int4: Path) -> None:
    async def work(client: Client) -> tuple[Any, ...]:
        listed = await client.list_tools()
        assert [tool.name for tool in listed.tools] == NAMES
        for tool in listed.tools:
            assert tool.description and tool.input_schema["additionalProperties"] is False
            assert all("description" in one for one in tool.input_schema["properties"].values())
        assert "cannot be used" not in await refused(client, "predict_reactants", product="no SMILES")
        return (
            await told(client, "predict_reactants", product=PRODUCT, count=3),
            await told(client, "predict_product", reactants="CC(=O)Cl.Nc1ccc(O)cc1", count=2, seed=3),
            await told(client, "generate_molecules", beginning="c1ccc", count=4),
            await told(client, "score_sequence", sequence=LYSOZYME[:30], mutants=["5", "K1A"]),
        )

    reactants, products, molecules, score = ask(work)

    def answers(*arguments: str, stdin: str) -> list[dict[str, Any]]:
        run = logos_here("generate", *arguments, "-m", nano_int4, "--max-tokens", "200", stdin=stdin)
        return [record for record in run.lines if record["valid"]]

    for found, expected in (
        (reactants, answers("retro", "--top", "3", stdin=PRODUCT)),
        (products, answers("react", "--top", "2", "--seed", "3", stdin="CC(=O)Cl.Nc1ccc(O)cc1")),
        (molecules, answers("molecule", "-", "-n", "4", stdin="c1ccc")),
    ):
        assert expected and [one["answer"] for one in found["answers"]] == [one["answer"] for one in expected]
        assert [one["logprob"] for one in found["answers"]] == [one["logprob"] for one in expected]
        assert found["model"] == expected[0]["model"]
    run = logos_here("score", "-", "-m", nano_int4, "--task", "protein", "--mutants", "5,K1A", stdin=f">a\n{LYSOZYME[:30]}\n")
    wild, *mutants = run.lines
    assert score["logprob"] == pytest.approx(wild["logprob"], abs=1e-3) and score["tokens"] == wild["tokens"]
    best = sorted(mutants, key=lambda one: one["rank"])
    assert score["scored"] == len(mutants) == 20
    assert [one["mutant"] for one in score["mutants"]] == [one["mutant"] for one in best]


def test_a_pocket(http: Served) -> None:
    """nano repeats few proteins: either its places, or why there are none."""

    async def work(client: Client) -> None:
        found = await client.call_tool("find_pocket", {"sequence": LYSOZYME})
        (text,) = found.content
        assert text.type == "text"
        if found.is_error:
            assert "no sample of 32 repeated the protein" in text.text
        else:
            assert found.structured_content
            (one,) = found.structured_content["answers"]
            assert one["samples"] == 32 and all(1 <= place <= 40 for place in one["answer"])

    over(lambda: f"{http.url}/mcp")(work)


@pytest.mark.parametrize(
    "name, given, said",
    [
        ("predict_reactants", {}, "'product' is a required property"),
        ("predict_reactants", {"product": 5}, "$.product: 5 is not of type 'string'"),
        ("predict_reactants", {"product": "CCO", "count": 99}, "99 is greater than the maximum"),
        ("predict_reactants", {"product": "CCO", "temperature": 2}, "'temperature' was unexpected"),
        ("predict_reactants", {"product": "C" * 70_000}, "too long"),
        ("predict_reactants", {"product": "C1CC"}, "not a valid SMILES"),
        ("find_pocket", {"sequence": "MKV7"}, "7"),
        ("score_sequence", {"sequence": "MKV", "mutants": [__file__]}, "give mutations as A23V"),
        ("score_sequence", {"sequence": "MKV" * 30, "mutants": ["1-90"]}, "over 1,000 mutants"),
        ("score_sequence", {"sequence": "MKV", "kind": "stone"}, "'stone' is not one of"),
        ("dig", {}, "no tool 'dig'; there are: predict_reactants"),
    ],
)
def test_misuse(http: Served, name: str, given: dict[str, Any], said: str) -> None:
    assert said in over(lambda: f"{http.url}/mcp")(lambda client: refused(client, name, **given))


def test_many_at_once(http: Served) -> None:
    """Calls share the engine's steps with each other and with the other routes; each gets its own answer."""
    products = [PRODUCT, "CC(=O)Oc1ccccc1C(=O)O", "CCOC(=O)c1ccc(N)cc1"]

    async def work(client: Client) -> list[Any]:
        return await asyncio.gather(*(told(client, "predict_reactants", product=one) for one in products * 3))

    found = over(lambda: f"{http.url}/mcp")(work)
    alone = [http.ask("/v1/tasks/retro", {"rows": [one], "top": 5}).json["records"] for one in products]
    for place, one in enumerate(found):
        assert [answer["answer"] for answer in one["answers"]] == [record["answer"] for record in alone[place % 3]]


def test_the_key_and_the_queue(nano_int4: Path) -> None:
    with served(nano_int4, key="sesame", agents=True) as server:
        assert server.ask("/mcp", {}).status == 401
        assert server.ask("/mcp", {}, {"Origin": "https://evil.example"}).status == 403

        async def work() -> None:
            async with (
                httpx2.AsyncClient(headers={"Authorization": "Bearer sesame"}) as keyed,
                Client(streamable_http_client(f"{server.url}/mcp", http_client=keyed)) as client,
            ):
                await told(client, "generate_molecules", count=1, beginning="CCO")
                server.state.gate.most = 0
                assert "all this server takes" in await refused(client, "generate_molecules")

        asyncio.run(work())


def test_hostile_messages(http: Served) -> None:
    headers = {"Content-Type": "application/json", "Accept": "application/json, text/event-stream"}
    call = b'{"jsonrpc": "2.0", "id": 1, "method": "tools/call"}'
    for body in (b"", b"{", b"[]", b"null", b'{"jsonrpc": "2.0"}', call, b"\xff" * 99):
        found = http.ask("/mcp", body, headers)
        assert found.status < 500, (body, found)
    assert http.ask("/mcp").status == 405 and http.ask("/mcp", b"x" * 9_000_000).status == 413
