"""What becomes of a message: decided by code from the state of the conversation's run and, for few words, by them.

|                          | a wish | words to stop | words to decide | courtesy |
|--------------------------|--------|---------------|-----------------|----------|
| no run is under way      | run    | stop          | refuse          | nothing  |
| the run works            | queue  | stop          | refuse          | nothing  |
| and a call of it waits   | look   | stop          | refuse          | nothing  |
| all of it waits for that | look   | revoke        | refuse          | nothing  |

To wait is here to wait until people approve.
"""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Final

from sysop.model import RunState


class Words(StrEnum):
    """What kind of message it is. Only whole messages of a few words are anything but a wish."""

    WISH = "wish"
    STOP = "stop"
    DECIDE = "decide"
    COURTESY = "courtesy"


class Fate(StrEnum):
    """What is done with a message."""

    RUN = "run"
    QUEUE = "queue"
    LOOK = "look"
    REVOKE = "revoke"
    STOP = "stop"
    REFUSE = "refuse"
    NOTHING = "nothing"


def _list(phrases: str) -> frozenset[str]:
    return frozenset(" ".join(phrase.split()) for phrase in phrases.split("/"))


_STOP: Final = _list(
    """abort / abort it / abort that / cancel / cancel it / cancel that / cancel this / do not / do not do it / don't /
    do not do that / don't do it / don't do that / forget it / halt / never mind / nevermind / please cancel /
    please stop / revoke / revoke it / revoke that / revoke the approval / stop / stop it / stop now / stop please /
    stop that / stop this / take it back / withdraw / withdraw it / withdraw that / withdraw the request"""
)
_DECIDE: Final = _list(
    """+1 / -1 / agreed / approve / approve it / approve that / approve this / approved / decline / declined / denied /
    deny / deny it / deny that / deny this / do it / go / go ahead / go for it / heavy_check_mark / i agree /
    i approve / lgtm / looks good / looks good to me / no / nope / ok / ok do it / ok go ahead / okay / please approve /
    reject / rejected / ship it / sure / thumbsdown / thumbsup / white_check_mark / y / yeah / yep / yes / yes do it /
    yes go ahead / yes please / 👍 / 👎 / 👌 / ✅ / ✔ / ❌ / 🆗"""
)
GREETINGS: Final = _list(
    """ / good afternoon / good evening / good morning / hello / hello there / hey / hey there / hi / hi there / ping /
    wave / 👋"""
)
_THANKS: Final = _list(
    """awesome / bye / cheers / cool / good job / good work / goodbye / great / great thanks / great work /
    many thanks / nice / nice work / ok thank you / ok thanks / perfect / perfect thanks / pray / thank you /
    thank you so much / thank you very much / thanks / thanks a lot / thanks so much / thx / ty / well done / ❤ / 🎉 /
    🙏"""
)
_KINDS: Final = {
    **dict.fromkeys(GREETINGS | _THANKS, Words.COURTESY),
    **dict.fromkeys(_DECIDE, Words.DECIDE),
    **dict.fromkeys(_STOP, Words.STOP),
}
_AROUND: Final = " .,!?;:*_~`'\"“”„‘’()[]…\N{EN DASH}\N{EM DASH}"
_UNSEEN: Final = re.compile("[\N{VARIATION SELECTOR-16}\N{ZERO WIDTH SPACE}\N{ZERO WIDTH JOINER}\U0001f3fb-\U0001f3ff]")


def bare(text: str) -> str:
    """Return a message without what does not change its meaning: case, punctuation around it, the skin of a hand."""
    words = _UNSEEN.sub("", text).casefold().replace("’", "'")
    return re.sub(r"[\s,]+", " ", words).strip(_AROUND)


def words_of(text: str) -> Words:
    """Tell what kind of message a text is. No model is asked, so nobody can talk one into anything."""
    return _KINDS.get(bare(text), Words.WISH)


def fate(state: RunState | None, waits_for_approval: bool, words: Words) -> Fate:
    """Return what becomes of a message, given the newest run that may change something and whether a call of it waits.

    A message is never appended to open calls, and no word of it ever decides on one.
    """
    if words is Words.COURTESY:
        return Fate.NOTHING
    if words is Words.DECIDE:
        return Fate.REFUSE
    if words is Words.STOP:
        return Fate.REVOKE if waits_for_approval and state is RunState.WAITING else Fate.STOP
    if state is None or state in (RunState.DONE, RunState.FAILED, RunState.CANCELLED):
        return Fate.RUN
    return Fate.LOOK if waits_for_approval else Fate.QUEUE
