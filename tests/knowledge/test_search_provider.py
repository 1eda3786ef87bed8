"""Embeddings of a provider, over real HTTP: batches, patience, what is no answer, and a search that goes on without."""

from pathlib import Path

import numpy as np
import pytest

from knowledge.test_search_words import page
from sysop.errors import SettingsError
from sysop.knowledge.retrieval.provider import BATCH, TRIES, Provider
from sysop.knowledge.retrieval.semantic import MeaningAway
from sysop.knowledge.retrieval.store import open_search
from sysop.testing.embeddings import EmbeddingServer, Fault

DISK = page("Disk filling up", ("What to do", "Delete old logs."))
CERT = page("Certificates", ("Meaning", "A TLS certificate expires soon; renew it."))


def client(server: EmbeddingServer, key: str | None = None, **more: float) -> Provider:
    return Provider(server.url, "letters", key, pause_s=0.001, **more)


def test_vectors_come_in_batches_in_order_and_of_length_1() -> None:
    texts = [chr(97 + n % 26) * (1 + n // 26) for n in range(BATCH + 5)]
    with EmbeddingServer(key="k") as server:
        provider = client(server, "k")
        rows = provider.embed([*texts, "", "\ud800 half"])
        provider.close()
        assert [len(asked) for asked in server.asked] == [BATCH, 7]
    assert rows.shape == (len(texts) + 2, 26)
    assert np.allclose(np.linalg.norm(rows, axis=1), 1)
    assert [int(row.argmax()) for row in rows[: len(texts)]] == [n % 26 for n in range(len(texts))]
    assert provider.embed([]).shape[0] == 0


@pytest.mark.parametrize(
    "fault", [Fault(500), Fault(503, {"Retry-After": "0"}), Fault(429, {"Retry-After": "0"}), Fault(408)]
)
def test_a_fault_that_passes_is_waited_out(fault: Fault) -> None:
    with EmbeddingServer(faults=[fault] * (TRIES - 1)) as server:
        provider = client(server)
        assert provider.embed(["a"]).shape == (1, 26)
        provider.close()
        assert len(server.asked) == TRIES


@pytest.mark.parametrize(
    ("faults", "tries", "told"),
    [
        ([Fault(500)] * 9, TRIES, "answers 500"),
        ([Fault(429, {"Retry-After": "3600"})], 1, "asked too often, or the budget is used up"),
        ([Fault(404)], 1, "base_url ends in /v1"),
        ([Fault(302, {"Location": "http://127.0.0.1:1/"})], 1, "answers 302"),
        ([Fault(body="<html>")], 1, "something else than embeddings"),
        ([Fault(body='{"data": []}')], 1, "something else than embeddings"),
        ([Fault(body='{"data": [{"index": 0, "embedding": "AAAA"}]}')], 1, "something else than embeddings"),
        ([Fault(body='{"data": [{"index": 0, "embedding": [0, 0]}]}')], 1, "something else than embeddings"),
        ([Fault(body='{"data": [{"index": 0, "embedding": [NaN, 1]}]}')], 1, "something else than embeddings"),
        ([Fault(body='{"data": [{"index": 1, "embedding": [1, 1]}]}')], 1, "something else than embeddings"),
        ([Fault(body="[" * 100_000)], 1, "something else than embeddings"),
    ],
)
def test_what_does_not_pass_is_told(faults: list[Fault], tries: int, told: str) -> None:
    with EmbeddingServer(faults=faults) as server:
        provider = client(server)
        with pytest.raises(MeaningAway, match=told):
            provider.embed(["a"])
        provider.close()
        assert len(server.asked) == tries


def test_a_wrong_key_is_told_and_never_shown() -> None:
    with EmbeddingServer(key="right") as server:
        provider = client(server, "secret-key")
        with pytest.raises(MeaningAway, match="refuses the key") as bad:
            provider.embed(["a"])
        provider.close()
    assert "secret-key" not in f"{bad.value} {provider.name}"


def test_a_question_waits_briefly_and_then_nobody_waits_for_a_while() -> None:
    with EmbeddingServer(faults=[Fault(hang=True)]) as server:
        provider = client(server, question_s=0.2)
        with pytest.raises(MeaningAway, match="cannot be reached"):
            provider.ask("a")
        with pytest.raises(MeaningAway, match="did not answer a moment ago"):
            provider.ask("a")
        provider.close()
        assert len(server.asked) == 1


def test_an_address_that_is_none_is_refused_with_the_fix() -> None:
    with pytest.raises(SettingsError, match="write https://HOST/v1"):
        Provider("api.example.com/v1", "m")


def test_a_search_goes_on_by_words_while_the_provider_is_away(tmp_path: Path) -> None:
    with EmbeddingServer() as server:
        provider = client(server)
        search, _ = open_search(tmp_path, provider)
        search.update([DISK, CERT], ())
        assert search.find("old logs").note == ""
        server.faults.extend([Fault(500)])
        found = search.find("old logs")
        assert (found.hits[0].id, found.fits) == (DISK.id, True)
        assert "words alone" in found.note
        assert "answers 500" in found.note
        search.close()
        provider.close()


def test_pages_that_came_while_the_provider_was_away_are_read_later(tmp_path: Path) -> None:
    with EmbeddingServer(faults=[Fault(401)]) as server:
        provider = client(server)
        search, _ = open_search(tmp_path, provider)
        search.update([DISK, CERT], ())
        assert len(server.asked) == 1  # after the first page no other is tried
        assert search.find("old logs").hits[0].id == DISK.id
        search.settle()
        search.close()
        search, lost = open_search(tmp_path, provider)
        assert not lost
        assert "yet" in search.find("old logs").note
        assert search.catch_up() == 0
        assert search.find("old logs").note == ""
        assert len(server.asked) == 4  # two pages and a question more
        assert search.catch_up() == 0
        assert len(server.asked) == 4
        search.close()
        provider.close()


def test_of_a_page_that_waits_and_is_removed_nothing_is_sent(tmp_path: Path) -> None:
    with EmbeddingServer(faults=[Fault(401)]) as server:
        provider = client(server)
        search, _ = open_search(tmp_path, provider)
        search.update([DISK, CERT], ())
        search.update([], [DISK.id])
        search.catch_up()
        assert all("Delete old logs" not in text for asked in server.asked[1:] for text in asked)
        search.close()
        provider.close()
