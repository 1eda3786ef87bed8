"""`python -m sysop.workspace`: the stand-in alone, for any app with a manifest."""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
import sys
from pathlib import Path

import yaml

from sysop.workspace.errors import ManifestError
from sysop.workspace.manifest import AppManifest
from sysop.workspace.seed import WorkspaceSettings
from sysop.workspace.server import Workspace


def describe(workspace: Workspace) -> dict[str, str]:
    """Return what an app and a person need to connect."""
    return {
        "url": workspace.url,
        "api_url": workspace.api_url,
        "page_url": workspace.page_url,
        "control_token": workspace.control_token,
        "bot_token": workspace.bot_token,
        "app_token": workspace.app_token,
        "signing_secret": workspace.signing_secret,
    }


async def serve(settings: WorkspaceSettings, *, as_json: bool) -> None:
    """Run until interrupted."""
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopped.set)
    async with Workspace(settings) as workspace:
        facts = describe(workspace)
        lines = [json.dumps(facts)] if as_json else [f"{name:15}{value}" for name, value in facts.items()]
        sys.stdout.write("\n".join(lines) + "\n")
        sys.stdout.flush()
        await stopped.wait()


def main() -> int:
    """Read the manifest and run."""
    parser = argparse.ArgumentParser(prog="python -m sysop.workspace", description="A local stand-in for Slack.")
    parser.add_argument("--manifest", type=Path, required=True, help="the app's manifest, YAML or JSON")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--request-url", help="deliver by signed HTTP to this URL instead of Socket Mode")
    parser.add_argument("--json", action="store_true", help="print what to connect with as one line of JSON")
    given = parser.parse_args()
    try:
        manifest = yaml.safe_load(given.manifest.read_text("utf-8"))
        app = AppManifest.parse(manifest if isinstance(manifest, dict) else {})
    except (OSError, yaml.YAMLError, ManifestError) as wrong:
        parser.error(f"{given.manifest}: {wrong}")
    asyncio.run(serve(WorkspaceSettings(app, given.request_url, given.port), as_json=given.json))
    return 0


if __name__ == "__main__":
    sys.exit(main())
