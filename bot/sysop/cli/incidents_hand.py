"""`sysop incidents merge`, `split`, `move`: what people know better than correlation. It learns from each."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import click

from sysop.app import App
from sysop.cli.common import again, command, lines_to_add, me, opened, out
from sysop.errors import NotAllowed


@contextmanager
def by_a_person(app: App) -> Iterator[None]:
    """Say how to become known to somebody whom the settings do not know."""
    try:
        yield
    except NotAllowed as no:
        if me(app).human:
            raise
        hint = f"Who you are is not in the settings. To be known, add:\n{lines_to_add()}"
        raise NotAllowed(f"{no}\n{hint}") from None


@click.command()
@click.argument("incident")
@click.argument("into")
@command
async def merge(incident: str, into: str) -> None:
    """Make INCIDENT part of INTO: they are one.

    Its alerts move there, and alerts like them are put together from now on. Takes a person with a role: who that is,
    the operating system says.
    """
    async with opened() as app:
        with by_a_person(app):
            await app.regroup.merge(incident, into, me(app))
        _done(f"{incident} is part of {into} now.", into)


@click.command()
@click.argument("incident")
@click.argument("fingerprints", metavar="FINGERPRINT...", nargs=-1, required=True)
@command
async def split(incident: str, fingerprints: tuple[str, ...]) -> None:
    """Make an incident of its own of some of INCIDENT's alerts.

    `sysop incidents show` has their fingerprints. Alerts like them are kept apart from the others from now on. Takes a
    person with a role.
    """
    async with opened() as app:
        with by_a_person(app):
            made = await app.regroup.split(incident, fingerprints, me(app))
        _done(f"{made} is an incident of its own now.", made)


@click.command()
@click.argument("fingerprint")
@click.option("--into", metavar="INCIDENT", help="Where it belongs; without it, into an incident of its own.")
@click.option("--free", is_flag=True, help="Leave it to correlation again, after somebody put it by hand.")
@command
async def move(fingerprint: str, into: str | None, free: bool) -> None:
    """Put the newest alert of a fingerprint into another incident, or into one of its own.

    This is also how an alert that was held back becomes an incident. It stays where it was put, until somebody puts it
    elsewhere or lets go of it with --free. Takes a person with a role.
    """
    if free and into is not None:
        raise click.UsageError("--free and --into say different things; give one of them")
    async with opened() as app:
        with by_a_person(app):
            if free:
                await app.regroup.free(fingerprint, me(app))
                _done(f"{fingerprint} is left to correlation, which finds its place while Sysop runs.")
            else:
                target = await app.regroup.move(fingerprint, into, me(app))
                _done(f"{fingerprint} is in {target} now.", target)


def _done(words: str, incident: str | None = None) -> None:
    console = out()
    console.print(words, markup=False, soft_wrap=True)
    see = again("incidents", "show", incident) if incident is not None else again("alerts")
    console.print(f"See: {see}", markup=False, soft_wrap=True)
