"""`sysop dev`: a chat to try Sysop in, with no Slack: the local workspace, the bot and the demo company."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click
import yaml
from rich.panel import Panel

from sysop import app as composition
from sysop.app import App
from sysop.cli.common import command, err, out
from sysop.cli.serve import EXIT_INTERRUPTED, Told
from sysop.demo.setup import Place, prepare, you
from sysop.demo.stage import Stage
from sysop.errors import SettingsError
from sysop.paths import data
from sysop.surfaces.server import listen
from sysop.workspace import AppManifest, Workspace, WorkspaceSettings

if TYPE_CHECKING:
    from sysop.demo.business import Business
    from sysop.settings import Settings

Mode = Literal["socket", "http"]
MANIFEST = "manifest.yaml"


@click.command()
@click.option("--port", type=click.IntRange(0, 65535), default=8330, show_default=True, help="Of the page; 0: any.")
@click.option("--seed", type=int, default=1, show_default=True, help="Picks service, version, fault and decoys.")
@click.option(
    "--mode",
    type=click.Choice(["socket", "http"]),
    default="socket",
    show_default=True,
    help="Socket Mode, or signed HTTP.",
)
@click.option("--folder", type=click.Path(path_type=Path), help="Where everything lies; default: .sysop/dev.")
@click.option("--json", "as_json", is_flag=True, help="Print the addresses as one JSON object once all is up.")
@command
async def dev(port: int, seed: int, mode: Mode, folder: Path | None, as_json: bool) -> int:
    """Chat with Sysop on a local stand-in for Slack, and break a small company there."""
    state = click.get_current_context().find_root().obj["state"]
    place = prepare(folder or Path(state or ".sysop") / "dev")
    told = Told()
    told.listen()
    async with _everything(place, port, seed, mode, as_json):
        await told.once.wait()
    return EXIT_INTERRUPTED if told.twice.is_set() else 0


@asynccontextmanager
async def _everything(place: Place, port: int, seed: int, mode: Mode, as_json: bool) -> AsyncIterator[None]:
    """Start all three; they end in the opposite order."""
    from sysop.demo.shop import Shop

    listener = listen("127.0.0.1", 0)
    address = f"http://127.0.0.1:{listener.getsockname()[1]}/slack/events" if mode == "http" else None
    async with _workspace(port, address, mode) as workspace:
        if not as_json:
            _welcome(workspace)
        shop = Shop()

        def build(settings: Settings, business: Business) -> App:
            app = composition.build(settings, extension=shop)
            shop.belong(business, app.store)
            return app

        stage = Stage(place, seed, _slack(workspace, place, mode), listener, build, _silent if as_json else _phase)
        async with stage.up():
            await shop.open(workspace.team_id, workspace.channels["shop"])
            try:
                _say_ready(workspace, place, as_json)
                yield
            finally:
                await shop.close()


@asynccontextmanager
async def _workspace(port: int, request_url: str | None, mode: Mode) -> AsyncIterator[Workspace]:
    """Start the workspace; its page is there before anything else is."""
    manifest = yaml.safe_load((data("deploy/slack") / MANIFEST).read_text("utf-8"))
    manifest["settings"]["socket_mode_enabled"] = mode == "socket"
    workspace = Workspace(WorkspaceSettings(AppManifest.parse(manifest), request_url, port))
    try:
        await workspace.start()
    except OSError as bad:
        raise SettingsError(f"cannot listen on 127.0.0.1:{port}: {bad.strerror}; choose another with --port") from bad
    try:
        yield workspace
    finally:
        await workspace.stop()


def _slack(workspace: Workspace, place: Place, mode: Mode) -> Mapping[str, Any]:
    """Return the sections of the settings, as for any workspace; the tokens lie in files of their own."""
    section: dict[str, Any] = {}
    for name in ("bot_token", "app_token", "signing_secret"):
        file = place.root / f"slack-{name.replace('_', '-')}"
        file.touch(mode=0o600)
        file.write_text(getattr(workspace, name))
        section[name] = f"file:{file}"
    roles = {"approver": {"groups": [workspace.groups["oncall"], workspace.groups["leads"]]}}
    section |= {"mode": mode, "api_url": workspace.api_url, "channel": workspace.channels["incidents"], "roles": roles}
    return {"slack": section, "people": you()}  # nobody else has a terminal here


def _welcome(workspace: Workspace) -> None:
    out().print(
        Panel.fit(
            f"[bold]sysop dev[/]  a local stand-in, not Slack\n\nopen  [bold cyan]{workspace.page_url}[/]",
            border_style="cyan",
        )
    )


def _phase(text: str) -> None:
    err.print(text, style="dim", markup=False)


def _silent(_text: str) -> None:
    """Say nothing."""


def _say_ready(workspace: Workspace, place: Place, as_json: bool) -> None:
    if as_json:
        facts = {
            "page": workspace.page_url,
            "url": workspace.url,
            "control_token": workspace.control_token,
            "users": workspace.users,
            "channels": workspace.channels,
            "settings": str(place.settings),
        }
        out().print(json.dumps(facts), soft_wrap=True, markup=False)
        return
    program = "sysop" if shutil.which("sysop") else sys.argv[0]
    out().print(
        "[bold green]ready[/]  in #shop press [bold]Break the shop[/], then watch #incidents; "
        "the corner of the page switches users\n"
        f"[dim]the command line works beside it:  {program} --config {place.settings} approvals[/]",
        soft_wrap=True,
    )
