"""What went wrong with a call to Slack, sorted by what must follow from it."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Final

import aiohttp
from slack_sdk.errors import SlackApiError, SlackClientError

from sysop.errors import SysopError


class Kind(StrEnum):
    """What must follow."""

    LATER = "later"  # nothing happened; again after a while
    DOUBT = "doubt"  # it may have happened
    PAYLOAD = "payload"  # our fault; once more as plain text
    TARGET = "target"  # there is nobody to tell
    PLACE = "place"  # we are not in the channel; somebody may bring us there
    TOKEN = "token"  # noqa: S105 (a word) - nothing can be sent at all
    MESSAGE = "message"  # the message cannot be changed; post anew
    STREAM = "stream"  # the message is not being written any more
    REFUSED = "refused"  # anything else Slack says no to


CODES: Final[Mapping[str, Kind]] = {
    **dict.fromkeys(
        ("ratelimited", "rate_limited", "message_limit_exceeded", "service_unavailable", "request_timeout"), Kind.LATER
    ),
    **dict.fromkeys(("internal_error", "fatal_error"), Kind.DOUBT),
    **dict.fromkeys(
        (
            "invalid_blocks",
            "invalid_blocks_format",
            "msg_blocks_too_long",
            "msg_blocks_too_many",
            "msg_too_long",
            "no_text",
            "markdown_text_conflict",
            "metadata_too_large",
            "too_many_attachments",
            "invalid_chunks",
            "streaming_mode_mismatch",
            "view_too_large",
        ),
        Kind.PAYLOAD,
    ),
    **dict.fromkeys(
        (
            "messages_tab_disabled",
            "user_not_found",
            "cannot_reply_to_message",
            "thread_not_found",
            "user_not_in_channel",
            "not_enabled",
        ),
        Kind.TARGET,
    ),
    **dict.fromkeys(("channel_not_found", "not_in_channel", "is_archived"), Kind.PLACE),
    **dict.fromkeys(
        (
            "invalid_auth",
            "not_authed",
            "account_inactive",
            "token_revoked",
            "token_expired",
            "missing_scope",
            "not_allowed_token_type",
        ),
        Kind.TOKEN,
    ),
    **dict.fromkeys(("message_not_found", "cant_update_message", "edit_window_closed", "block_mismatch"), Kind.MESSAGE),
    **dict.fromkeys(
        (
            "message_not_in_streaming_state",
            "stopped_by_user",
            "message_not_owned_by_app",
            "streaming_state_conflict",
        ),
        Kind.STREAM,
    ),
}
_PREFIXES: Final = {"invalid_metadata": Kind.PAYLOAD, "restricted_action": Kind.TARGET}
DEFAULT_RETRY_S: Final = 1.0
_UNREADABLE = (AttributeError, ValueError)
"""What the SDK raises over an answer that is no JSON object."""
CAUGHT: Final = (SlackClientError, aiohttp.ClientError, TimeoutError, OSError, *_UNREADABLE)
"""Everything a call can raise."""


class CallFailed(SysopError):
    """A call to Slack did not succeed. `answered` means that Slack has ended it: nothing of it is still on its way."""

    def __init__(
        self,
        method: str,
        kind: Kind,
        code: str,
        *,
        retry_s: float | None = None,
        answered: bool = True,
        detail: str = "",
    ) -> None:
        super().__init__(f"{method}: {code}{f' ({detail})' if detail else ''}")
        self.method = method
        self.kind = kind
        self.code = code
        self.retry_s = retry_s
        self.answered = answered


def sort(method: str, failed: BaseException) -> CallFailed:
    """Return what a call raised as one of ours."""
    if isinstance(failed, SlackApiError):
        return _answered(method, failed.response)
    if isinstance(failed, aiohttp.ClientConnectorError | aiohttp.ConnectionTimeoutError):
        return CallFailed(method, Kind.LATER, "unreachable", detail=type(failed).__name__)
    if isinstance(failed, SlackClientError):
        return CallFailed(method, Kind.REFUSED, "not_sent", detail=str(failed)[:200])
    answered = isinstance(failed, _UNREADABLE)
    return CallFailed(method, Kind.DOUBT, "no_answer", answered=answered, detail=type(failed).__name__)


def _answered(method: str, response: Any) -> CallFailed:
    status = int(getattr(response, "status_code", 0) or getattr(response, "status", 0))
    found = getattr(response, "data", None)
    data: Mapping[str, Any] = found if isinstance(found, dict) else {}
    code = str(data.get("error") or f"http_{status}")
    if status == 429:
        return CallFailed(method, Kind.LATER, code, retry_s=_retry_after(response))
    kind = _kind(code, status)
    retry = _retry_after(response) if kind is Kind.LATER else None
    return CallFailed(method, kind, code, retry_s=retry, detail=_detail(data))


def _kind(code: str, status: int) -> Kind:
    if code in CODES:
        return CODES[code]
    for prefix, kind in _PREFIXES.items():
        if code.startswith(prefix):
            return kind
    return Kind.DOUBT if status >= 500 or code.startswith("http_2") else Kind.REFUSED


def _retry_after(response: Any) -> float:
    headers = getattr(response, "headers", None) or {}
    text = next((str(value) for name, value in headers.items() if str(name).lower() == "retry-after"), "")
    return float(text) if text.isdigit() and len(text) < 6 else DEFAULT_RETRY_S


def _detail(data: Mapping[str, Any]) -> str:
    """Return what Slack says beside the code: the scope that is missing, or the place in the payload."""
    if data.get("needed"):
        return f"needed: {data['needed']}, provided: {data.get('provided', '')}"
    more = data.get("response_metadata")
    messages = more.get("messages") if isinstance(more, dict) else None
    return "; ".join(map(str, messages))[:300] if isinstance(messages, list) else ""
