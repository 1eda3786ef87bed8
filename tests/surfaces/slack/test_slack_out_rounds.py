"""The sender's rounds overlap with what is in flight: what one reads may be old before it has been read."""

from __future__ import annotations

import out_kit as kit
from out_kit import words

from sysop.store.store import Store


async def test_what_was_sent_while_a_round_read_is_not_taken_for_cut_off(store: Store) -> None:
    """A row was found in flight, came to its end before the round went on, and was then put into doubt."""
    async with kit.workspace(scale=200) as place, kit.sending(store, place, rates=kit.fast_rates(200)) as out:
        talks = [await out.begun() for _ in range(4)]
        for number in range(30):
            for talk in talks:
                await out.show(talk, f"incident:{talk.id}", words(f"state {number}"))
            if number == 0:  # what is not posted yet is overtaken, and nothing would be left to update
                await out.quiet()
        await out.quiet()
        calls = await place.count()
    assert calls["chat.update"] > 0
    assert calls["conversations.replies"] == 0, "nothing was ever in doubt"
