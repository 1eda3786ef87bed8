"""Requests that Slack never sends: bodies that are wrong in some place, headers that prove nothing."""

from __future__ import annotations

import json
import random
import string
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import quote, urlencode

from slack_sdk.signature import SignatureVerifier

SECRET = "0123456789abcdef0123456789abcdef"
JSON = "application/json"
FORM = "application/x-www-form-urlencoded"
Json = dict[str, Any]


def signed(body: str | bytes, *, secret: str = SECRET, at: float | None = None, kind: str = JSON) -> dict[str, str]:
    stamp = str(int(time.time() if at is None else at))
    signature = SignatureVerifier(secret).generate_signature(timestamp=stamp, body=body)
    assert signature
    return {"content-type": kind, "x-slack-request-timestamp": stamp, "x-slack-signature": signature}


def some_text(luck: random.Random, most: int = 40) -> str:
    alphabet = string.printable + "éß漢字🚀\u202e\u0000\ud7ff"
    return "".join(luck.choice(alphabet) for _ in range(luck.randrange(most)))


def any_value(luck: random.Random, depth: int = 0) -> Any:
    kinds: list[Callable[[], Any]] = [
        lambda: None,
        lambda: luck.random() < 0.5,
        lambda: luck.randrange(-5, 10**12),
        lambda: luck.random(),
        lambda: some_text(luck),
    ]
    if depth < 4:
        kinds.append(lambda: [any_value(luck, depth + 1) for _ in range(luck.randrange(4))])
        kinds.append(lambda: {any_name(luck): any_value(luck, depth + 1) for _ in range(luck.randrange(5))})
    return luck.choice(kinds)()


NAMES = (
    *("type", "event", "team_id", "event_id", "user", "team", "channel", "actions", "view", "container", "message"),
    *("authorizations", "enterprise", "id", "state", "values", "hash", "callback_id", "trigger_id", "response_url"),
    *("command", "text", "user_id", "channel_id", "thread_ts", "ts", "subtype", "bot_id", "private_metadata"),
    *("is_ext_shared_channel", "response_urls", "function_data", "inputs", "assistant_thread", "user_team"),
)
TYPES = ("event_callback", "block_actions", "view_submission", "view_closed", "shortcut", "message_action", "x")


def any_name(luck: random.Random) -> str:
    return luck.choice(NAMES) if luck.random() < 0.9 else some_text(luck, 8)


def shaped(luck: random.Random) -> Json:
    """Return something that looks like a delivery and is wrong in some place."""
    body: Json = {any_name(luck): any_value(luck) for _ in range(luck.randrange(8))}
    if luck.random() < 0.8:
        body["type"] = luck.choice(TYPES)
    if luck.random() < 0.4:
        body["event"] = {any_name(luck): any_value(luck) for _ in range(luck.randrange(6))} | {"type": "message"}
    return body


def any_body(luck: random.Random) -> tuple[bytes, str]:
    roll = luck.random()
    if roll < 0.15:
        return luck.randbytes(luck.randrange(200)), luck.choice((JSON, FORM, "text/plain", ""))
    text = json.dumps(shaped(luck))
    if roll < 0.25:
        text = text[: luck.randrange(len(text) + 1)]
    if roll < 0.6:
        return text.encode("utf-8", "surrogatepass"), JSON
    if roll < 0.85:
        return f"payload={quote(text)}".encode(), FORM
    fields = {any_name(luck): some_text(luck) for _ in range(luck.randrange(9))}
    return urlencode(fields, errors="surrogatepass").encode(), FORM


def without(headers: dict[str, str], name: str) -> dict[str, str]:
    return {given: value for given, value in headers.items() if given != name}


def wrong_headers(luck: random.Random, body: bytes, kind: str) -> list[tuple[bytes, bytes]]:
    """Return headers none of which is a signature of Slack's over this body now."""
    now, roll = time.time(), luck.random()
    try:
        text = body.decode()
    except UnicodeDecodeError:
        text = ""
    wrong = [
        lambda: {},
        lambda: signed(text, secret=some_text(luck) + "x", kind=kind),
        lambda: signed(text, at=now - luck.randrange(302, 10**7), kind=kind),
        lambda: signed(text, at=now + luck.randrange(302, 10**6), kind=kind),
        lambda: signed(text + "x", kind=kind),
        lambda: {**signed(text, kind=kind), "x-slack-signature": some_text(luck, 80)},
        lambda: {**signed(text, kind=kind), "x-slack-request-timestamp": some_text(luck, 20)},
        lambda: {
            **signed(text, kind=kind),
            "x-slack-request-timestamp": str(luck.randrange(10 ** luck.randrange(1, 30))),
        },
        lambda: without(signed(text, kind=kind), luck.choice(("x-slack-signature", "x-slack-request-timestamp"))),
    ]
    made = wrong[int(roll * len(wrong))]()
    made.setdefault("content-type", kind)
    return [(name.encode(), value.encode("utf-8", "surrogatepass")) for name, value in made.items()]
