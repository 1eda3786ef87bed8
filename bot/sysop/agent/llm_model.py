"""The model behind a name, and a guard around it: budgets, bounded retries, time limits, clean and numbered answers."""

from __future__ import annotations

import asyncio
import random
from typing import Final

import httpx2
from openai import AsyncOpenAI, OpenAIError
from pydantic_ai import ModelSettings
from pydantic_ai.exceptions import (
    ModelAPIError,
    ModelAuthenticationError,
    ModelConnectionError,
    ModelContextWindowExceededError,
    ModelHTTPError,
    ModelQuotaExceededError,
    ModelRateLimitError,
    UnexpectedModelBehavior,
)
from pydantic_ai.messages import ModelMessage, ModelResponse
from pydantic_ai.models import Model, ModelRequestParameters
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.models.wrapper import WrapperModel
from pydantic_ai.providers.openai import OpenAIProvider

from sysop.agent import history
from sysop.agent.clean import clean
from sysop.agent.session import LlmFailed, Session
from sysop.errors import SettingsError
from sysop.redact import redact
from sysop.sections import LlmSettings

TRIES: Final = 3
PAUSE_S = 0.5
MAX_WAIT_S: Final = 20.0
"""A server that asks for more patience than this counts as failed: people get the fallback's answer sooner."""
_OPENAI: Final = "https://api.openai.com/v1"
_AGAIN: Final = frozenset({408, 409, 425, 429})


def connect(settings: LlmSettings, key: str | None) -> tuple[Model, httpx2.AsyncClient]:
    """Return the model and the client to close. Raises SettingsError where a key is needed."""
    name = (settings.model or "").removeprefix("openai:")
    if not settings.base_url and key is None:
        raise SettingsError("llm.key is not set; add it as env:NAME or file:PATH")
    timeout = httpx2.Timeout(settings.request_seconds, connect=min(10, settings.request_seconds))
    http = httpx2.AsyncClient(timeout=timeout, follow_redirects=False, trust_env=False)
    base_url = settings.base_url or _OPENAI
    client = AsyncOpenAI(
        api_key=key or "none", base_url=base_url, http_client=http, max_retries=0, timeout=settings.request_seconds
    )
    return OpenAIChatModel(name, provider=OpenAIProvider(openai_client=client)), http


class GuardedModel(WrapperModel):
    """A model for one attempt of one run. Raises LlmFailed or Enough, never a provider's error."""

    def __init__(self, wrapped: Model, session: Session) -> None:
        super().__init__(wrapped)
        self._session = session

    async def request(
        self,
        messages: list[ModelMessage],
        model_settings: ModelSettings | None,
        model_request_parameters: ModelRequestParameters,
    ) -> ModelResponse:
        """Ask the model, take the secrets out of its answer and number it."""
        session = self._session
        response = await session.wanted(self._tries(messages, model_settings, model_request_parameters))
        session.answers += 1
        taken = {call.tool_call_id for message in messages for call in history.calls_of(message)}
        return history.number(response, session.answers, session.run.id, taken, session.releases)

    async def _tries(
        self, messages: list[ModelMessage], settings: ModelSettings | None, parameters: ModelRequestParameters
    ) -> ModelResponse:
        limit = self._session.meter.limits.history_tokens
        for attempt in range(1, TRIES + 1):
            try:
                return await self._once(history.compact(messages, limit), settings, parameters)
            except (ModelAPIError, UnexpectedModelBehavior, OpenAIError, TimeoutError) as failed:
                if isinstance(failed, ModelContextWindowExceededError):
                    limit //= 2  # the server's window is smaller than ours: show it less
                elif not _transient(failed):
                    raise LlmFailed(why(failed)) from failed
                if attempt == TRIES or (patience := _patience(failed, attempt)) > MAX_WAIT_S:
                    raise LlmFailed(f"{why(failed)}, tried {attempt} times") from failed
                await asyncio.sleep(min(patience, self._session.meter.seconds_left()))
        raise AssertionError("unreachable")

    async def _once(
        self, messages: list[ModelMessage], settings: ModelSettings | None, parameters: ModelRequestParameters
    ) -> ModelResponse:
        meter = self._session.meter
        meter.before_request()
        try:
            async with asyncio.timeout(min(meter.limits.request_seconds, meter.seconds_left())):
                response = clean(await self.wrapped.request(messages, settings, parameters))
        except TimeoutError:
            meter.seconds_left()
            raise
        except (LookupError, TypeError, AttributeError, ValueError) as odd:  # seen: IndexError for an empty answer
            raise UnexpectedModelBehavior(f"malformed answer: {type(odd).__name__}") from odd
        meter.input_tokens += response.usage.input_tokens or _estimate(messages)
        meter.output_tokens += response.usage.output_tokens or _estimate([response])
        return response


def _estimate(messages: list[ModelMessage]) -> int:
    """Return about how many tokens a conversation has, for servers that do not count."""
    return len(history.dump(messages)) // (history.CHARS_PER_TOKEN + 1)


def _transient(failed: Exception) -> bool:
    if isinstance(failed, ModelQuotaExceededError):
        return False
    if isinstance(failed, ModelHTTPError):
        return failed.status_code in _AGAIN or failed.status_code >= 500
    return not isinstance(failed, ModelAuthenticationError)


def _patience(failed: Exception, attempt: int) -> float:
    asked: float | None = failed.retry_after if isinstance(failed, ModelAPIError) else None
    return asked if asked is not None else PAUSE_S * 2**attempt * random.uniform(0.5, 1.0)  # noqa: S311 (jitter)


def why(failed: BaseException) -> str:
    """Return why a model failed, in words for people and without what the server may have echoed."""
    if isinstance(failed, ModelAuthenticationError):
        return "the model server refused the key; check llm.key"
    if isinstance(failed, ModelContextWindowExceededError):
        return "the conversation is too long for the model"
    if isinstance(failed, ModelQuotaExceededError):
        return "the quota of the model account is used up"
    if isinstance(failed, ModelRateLimitError):
        return "the model server asks to slow down"
    if isinstance(failed, ModelHTTPError):
        return f"the model server answered with status {failed.status_code}"
    if isinstance(failed, TimeoutError) or "timed out" in str(failed).lower():
        return "the model did not answer in time"
    if isinstance(failed, ModelConnectionError):
        return "the model server cannot be reached"
    return f"the model's answer could not be used ({redact(str(failed))[:200]})"
