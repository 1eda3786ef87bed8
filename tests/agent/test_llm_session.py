"""A long wait for the model ends when nobody wants the answer any more, and nothing that goes wrong then is lost."""

from __future__ import annotations

import asyncio
import logging
from typing import Any, cast

import pytest

from sysop.agent.session import Session
from sysop.agent.usage import Meter
from sysop.errors import RunCancelled
from sysop.sections import LlmSettings


class Unwanted:
    """A toolbox whose run a person has stopped."""

    async def alive(self) -> None:
        raise RunCancelled("stopped")


@pytest.fixture
def session(monkeypatch: pytest.MonkeyPatch) -> Session:
    monkeypatch.setattr("sysop.agent.session.BEAT_S", 0.01)
    return Session(cast(Any, None), cast(Any, Unwanted()), Meter(LlmSettings()), {}, {})


async def hang(ends: list[str], error: Exception | None = None) -> str:
    try:
        await asyncio.sleep(60)
    except asyncio.CancelledError:
        ends.append("cancelled")
        if error is not None:
            raise error from None
        raise
    return "never"


async def test_a_request_nobody_wants_is_cancelled_and_seen_to_its_end(
    session: Session, caplog: pytest.LogCaptureFixture
) -> None:
    ends: list[str] = []
    with pytest.raises(RunCancelled):
        await session.wanted(hang(ends))
    assert ends == ["cancelled"]
    assert caplog.records == []


async def test_an_error_of_a_request_nobody_wants_is_told_in_the_log(
    session: Session, caplog: pytest.LogCaptureFixture
) -> None:
    ends: list[str] = []
    with caplog.at_level(logging.WARNING), pytest.raises(RunCancelled):
        await session.wanted(hang(ends, ValueError("the connection was reset")))
    assert ends == ["cancelled"]
    (record,) = caplog.records
    assert record.name == "sysop.agent.session"
    assert record.exc_info is not None
    assert str(record.exc_info[1]) == "the connection was reset"


async def test_an_error_somebody_waits_for_is_raised_and_not_logged(
    session: Session, caplog: pytest.LogCaptureFixture
) -> None:
    async def broken() -> str:
        raise ValueError("at once")

    with pytest.raises(ValueError, match="at once"):
        await session.wanted(broken())
    assert caplog.records == []


async def test_who_waits_can_be_cancelled_and_takes_the_request_along(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sysop.agent.session.BEAT_S", 60)
    begun, ends = asyncio.Event(), list[str]()

    async def request() -> str:
        begun.set()
        return await hang(ends)

    waiting = asyncio.create_task(session.wanted(request()))
    await begun.wait()
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert ends == ["cancelled"]
