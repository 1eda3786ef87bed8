"""Every error Sysop raises on purpose, each named for who reads it.

SysopError
  SettingsError          the operator: a key in sysop.yaml or the environment is wrong
  StoreError             the operator: the database cannot be used as it is
    SchemaOutdated         run `sysop db upgrade` (or start the runner, on SQLite)
    StoreUnavailable       locked, full or unreachable; nothing was written
  PluginError            the plugin author: a contract is broken, the plugin is not loaded
  RunbookError           the runbook author: names the file, the step and the fix
  LibraryError           the operator: a source of pages or what is kept of it cannot be read
  InvalidRequest         the person asking: the request names something that does not exist
    NotAllowed             the person may not do that (role, quorum, own request)
    NoSuch                 nothing has that id
  NotGenuine             the sender of a webhook: it is not proven to be who it says
  CallError              anything a planner may meet when it makes a call
    InvalidCall            the arguments do not fit; the planner may try again
    ActionRefused          policy, a budget or a person said no; nothing ran
    ActionFailed           the action surely did not take effect, or says so; the planner may adapt
  DoubtfulAnswer         the gate: a change may have happened, the target must be asked
  Parked                 not a failure: the run waits, the reason says for what
    ApprovalRequired       a person must decide first
    WaitUntil              look again at a later time
    OutcomeUnknown         an effect may or may not have happened; a person must say
    Paused                 changes are paused
  RunStopped             this worker must let go of the run at once
    LeaseLost              another worker has claimed the run
    RunCancelled           a person has stopped the run
    ReplayMismatch         a call id came back with other arguments
"""

from __future__ import annotations

from collections.abc import Sequence


class SysopError(Exception):
    """Base of every deliberate error; its text is fit to show to a user."""


class SettingsError(SysopError):
    """A setting is unknown or wrong; names file, key, reason and fix."""


class StoreError(SysopError):
    """The database cannot be used as it is."""


class SchemaOutdated(StoreError):
    """The database schema is older or newer than this version of Sysop."""


class StoreUnavailable(StoreError):
    """The database is locked, full or unreachable. Nothing was written."""


class PluginError(SysopError):
    """A plugin broke its contract; it is not loaded."""


class RunbookError(SysopError):
    """A runbook cannot be used; names the file, the step and the fix."""


class LibraryError(SysopError):
    """A source of pages cannot be read, or the cache of what was read cannot be used; names it and the fix."""


class InvalidRequest(SysopError):
    """What was asked for does not exist or makes no sense."""


class NotAllowed(InvalidRequest):
    """The person may not do this."""


class NoSuch(InvalidRequest):
    """No run, approval or incident has this id. The text ends in where the command line lists them.

    A surface with commands of its own says `bare`, and where it lists what `kind` names.
    """

    def __init__(self, kind: str, id: str) -> None:
        self.kind = kind
        self.bare = f"there is no {kind} {id!r}"
        super().__init__(f"{self.bare}; see: sysop {kind}s")


class NotGenuine(SysopError):
    """A webhook call does not come from whom it names. The sender is told nothing more than that."""


class CallError(SysopError):
    """A call did not give a result."""


class InvalidCall(CallError):
    """The action is unknown or its arguments do not fit. Nothing ran; try again with other arguments."""


class ActionRefused(CallError):
    """Policy, a budget or a person said no. Nothing ran."""


class ActionFailed(CallError):
    """The action failed. Raised by an action, it promises that no effect took place."""


class DoubtfulAnswer(SysopError):
    """A changing request was answered in a way that does not tell what happened; never "nothing happened"."""


class Parked(SysopError):
    """The run cannot go on now. `wake_at` is in database milliseconds, None means an event wakes it.

    `waiting_for` names the event; several are separated by spaces, and each of them wakes the run.
    """

    def __init__(self, message: str, *, waiting_for: str, wake_at: int | None = None) -> None:
        super().__init__(message)
        self.waiting_for = waiting_for
        self.wake_at = wake_at


def together(waits: Sequence[Parked]) -> Parked:
    """Return one reason to park for several: whichever comes first wakes the run."""
    if len(waits) == 1:
        return waits[0]
    times = [wait.wake_at for wait in waits if wait.wake_at is not None]
    reasons = " ".join(dict.fromkeys(wait.waiting_for for wait in waits))
    return Parked("; ".join(map(str, waits)), waiting_for=reasons, wake_at=min(times, default=None))


class ApprovalRequired(Parked):
    """A person must decide on `approval` first."""

    def __init__(self, message: str, *, approval: str, digest: str, wake_at: int) -> None:
        super().__init__(message, waiting_for=f"approval:{approval}", wake_at=wake_at)
        self.approval = approval
        self.digest = digest


class WaitUntil(Parked):
    """A condition does not hold yet, or a post-check is still pending."""


class OutcomeUnknown(Parked):
    """An effect may or may not have happened. A person must say which, see `sysop runs resolve`."""


class Paused(Parked):
    """Changes are paused by the operator. Reads go on."""


class RunStopped(SysopError):
    """This worker must let go of the run at once and write nothing more to it."""


class LeaseLost(RunStopped):
    """Another worker has claimed the run since."""


class RunCancelled(RunStopped):
    """A person has stopped the run."""


class ReplayMismatch(RunStopped):
    """A call id came back with another action or other arguments than the ledger holds."""
