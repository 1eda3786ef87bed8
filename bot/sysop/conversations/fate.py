"""What becomes of a message: decided by code from the state of the conversation's run and, for few words, by them.

|                          | a wish | words to stop | to stop some work | words to decide | courtesy |
|--------------------------|--------|---------------|-------------------|-----------------|----------|
| no run is under way      | run    | stop          | run               | refuse          | nothing  |
| the run works            | queue  | stop          | stop              | refuse          | nothing  |
| and a call of it waits   | look   | stop          | stop              | refuse          | nothing  |
| all of it waits for that | look   | revoke        | revoke            | refuse          | nothing  |

To wait is here to wait until people approve. "Cancel the deploy" names some work: of ours, where some is under way,
else it is a wish about work of others.
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
    STOP_WORK = "stop work"
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
    """abort / abort everything / abort it / abort that / abort this / call it off / cancel / cancel everything /
    cancel it / cancel that / cancel this / do not / do not bother / do not continue / do not do anything /
    do not do it / do not do that / do not do this / do not go ahead / do not go on / do not proceed / do not run it /
    do nothing / drop it / forget about it / forget it / forget that / halt / hold it / hold off / hold on /
    i cancel it / i cancel that / i changed my mind / i have changed my mind / i revoke it / i take it back /
    i take that back / i withdraw / i withdraw it / i withdraw that / never mind / nevermind / revoke /
    revoke everything / revoke it / revoke that / revoke this / scratch that / stand down / stop / stop all /
    stop all of it / stop everything / stop it / stop that / stop this / stop what you are doing / stop working /
    take it back / take that back / wait / withdraw / withdraw everything / withdraw it / withdraw that /
    withdraw this"""
)
_STOP_WORK: Final = re.compile(
    r"(?:i )?(?:abort|cancel|call off|do not (?:continue|do|make|run|start)|halt|revoke|stop|take back|withdraw)"
    r" (?:the|this|that|my|your|our)"
    r" (?:(?P<ours>approval|investigation|plan|request|run|task|triage|work)"
    r"|action|build|call|change|deploy|deployment|fix|job|release|repair|restart|roll ?back|rollout|scaling)"
    r"|(?:do not|stop) (?:build(?:ing)?|deploy(?:ing)?|releas(?:e|ing)|restart(?:ing)?|roll(?:ing)? ?back)"
    r"(?: it| that)?"
)
"""What names some work. `ours` names what only Sysop has; a deploy may be one of somebody else's."""
_BEFORE: Final = _list(
    """actually / can you / could you / hey / hm / hmm / i said / no / no no / oh / ok / okay / please / sorry / sysop /
    uh"""
)
"""What may stand before words to stop, as `_BEHIND` behind them, and does not change what they mean."""
_BEHIND: Final = _list(
    """at once / for now / here / immediately / now / please / right away / right now / sysop / thank you / thanks"""
)
MAX_STOP: Final = 9
"""So many words a message has at most that is taken for a wish to stop."""
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
    said = bare(text)
    return _KINDS.get(said) or _stops(said) or Words.WISH


def _stops(said: str) -> Words | None:
    """Look for words to stop within what people put around them; one word more, and it is about something else."""
    core = _core(re.sub(r"[.!;:]+(?= )", "", said).replace("don't", "do not").replace("dont ", "do not "))
    if core in _STOP:
        return Words.STOP
    named = _STOP_WORK.fullmatch(core)
    return named and (Words.STOP if named["ours"] else Words.STOP_WORK)


def _core(said: str) -> str:
    words = said.split(" ")[: MAX_STOP + 1]
    if len(words) > MAX_STOP:
        return ""
    for size in (2, 1) * len(words):
        if " ".join(words[:size]) in _BEFORE:
            words = words[size:]
        if " ".join(words[-size:]) in _BEHIND:
            words = words[:-size]
    return " ".join(words)


def fate(state: RunState | None, waits_for_approval: bool, words: Words) -> Fate:
    """Return what becomes of a message, given the newest run that may change something and whether a call of it waits.

    A message is never appended to open calls, and no word of it ever decides on one.
    """
    if words is Words.COURTESY:
        return Fate.NOTHING
    if words is Words.DECIDE:
        return Fate.REFUSE
    idle = state is None or state in (RunState.DONE, RunState.FAILED, RunState.CANCELLED)
    if words is Words.STOP or (words is Words.STOP_WORK and not idle):
        return Fate.REVOKE if waits_for_approval and state is RunState.WAITING else Fate.STOP
    if idle:
        return Fate.RUN
    return Fate.LOOK if waits_for_approval else Fate.QUEUE
