"""An incident that is merged away asks nobody for anything any more."""

from pathlib import Path

from gate.kit import ANN, BOB
from incidents.lived import Lived, alert
from sysop.model import ApprovalState, RunState
from sysop.store import approvals, effects, runs


async def test_an_approval_that_a_merged_incident_waited_for_can_run_nothing(tmp_path: Path, url: str) -> None:
    lived = Lived(tmp_path, url)
    now = await lived.app.store.now()
    critical = {"severity": "critical"}
    errors, slow = (
        alert("Errors", "checkout", now - 60_000, labels=critical),
        alert("Slow", "blog", now, labels=critical),
    )
    await lived.place({"g": [errors], "h": [slow]})
    gone, target = sorted(await lived.all(), key=lambda one: one.title)
    (lived.folder / "healthy").write_text("yes")
    await lived.work()
    asked = await lived.approval(str(gone.run), "fix")
    await lived.app.regroup.merge(gone.id, target.id, ANN)
    assert not (await lived.vote(asked, BOB, reason="looks right")).counted
    await lived.work()
    run = await lived.app.store.read(lambda conn: runs.load(conn, str(gone.run)))
    assert (run.state, (run.conclusion or {})["summary"]) == (RunState.CANCELLED, f"stopped: it is part of {target.id}")
    assert (await lived.app.store.read(lambda conn: approvals.load(conn, asked.id))).state is ApprovalState.VOID
    assert await lived.app.store.read(lambda conn: effects.find(conn, run.id, "fix")) is None, "nothing was done"
    await lived.close()
