"""Which runbook a run follows, and what it does without one."""

from runbook_kit import ASK, Answers, Desk, finish, incident, index_of, samples

from sysop.errors import InvalidCall


async def test_without_a_runbook_it_collects_facts_and_hands_over_honestly():
    desk = Desk(Answers(inventory__service=[{"owner": "shop"}], cicd__recent_deploys=[InvalidCall("not configured")]))
    end = await finish(desk, index_of([ASK]), incident("Other", services=("checkout",)))
    assert not end.resolved
    assert end.cause == "undetermined"
    assert "no runbook fits" in end.escalate
    assert [(c.text, c.evidence) for c in end.claims] == [
        ('inventory.service(service=checkout): {"owner": "shop"}', ("run-1:service_1",))
    ]
    assert end.not_checked[0] == "the cause"
    assert "changes.recent" in end.not_checked[1], "what was changed is looked at first"
    assert "not configured" in end.not_checked[2]


async def test_a_runbook_that_was_asked_for_is_taken_whatever_fires():
    desk = Desk(Answers(metrics__query=[samples(0)]))
    assert (await finish(desk, index_of([ASK]), None, request={"runbook": "t"})).resolved
    assert desk.plan["why"] == "it was asked for"
    end = await finish(Desk(Answers()), index_of([ASK]), None, request={"runbook": "tt"})
    assert "there is no runbook 'tt'; did you mean 't'?" in end.escalate


async def test_a_question_in_words_finds_its_runbook():
    desk = Desk(Answers(metrics__query=[samples(0)]))
    assert (await finish(desk, index_of([ASK]), None, text="do the test step")).resolved
    desk = Desk(Answers(metrics__query=[samples(0)]))
    assert not (await finish(desk, index_of([ASK]), None, text="the printer is broken")).resolved
