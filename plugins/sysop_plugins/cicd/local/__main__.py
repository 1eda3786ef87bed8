"""Start a build by hand, through the same records that Sysop keeps: `python -m sysop_plugins.cicd.local trigger …`."""

from __future__ import annotations

import argparse
import asyncio
import getpass
import sys
import uuid
from pathlib import Path

from pydantic import ValidationError

from sysop.api import CallError
from sysop_plugins.cicd.local.provider import LocalProvider
from sysop_plugins.cicd.local.settings import LocalSettings
from sysop_plugins.cicd.provider import Build
from sysop_plugins.cicd.settings import Settings

_FOLLOW = 0.1


def main(arguments: list[str] | None = None) -> int:
    """Return 0 when the build was started (with --wait: succeeded), 1 when not, 2 for wrong input."""
    given = _parser().parse_args(arguments)
    try:
        parameters = dict(_pair(text) for text in given.parameters)
        settings = Settings(local=LocalSettings.model_validate_json(given.config.read_bytes()))
    except (OSError, ValidationError, ValueError) as wrong:
        sys.stderr.write(f"{given.config}: {wrong}\n")
        return 2
    provider = LocalProvider(given.folder, settings)
    try:
        build = asyncio.run(_trigger(provider, given, parameters))
    except CallError as failed:
        sys.stderr.write(f"{failed}\n")
        return 1
    sys.stdout.write(build.model_dump_json() + "\n")
    return 0 if build.state == "succeeded" or not given.wait else 1


async def _trigger(provider: LocalProvider, given: argparse.Namespace, parameters: dict[str, str]) -> Build:
    key = given.key or f"manual:{uuid.uuid4()}"
    build = await provider.trigger(key, given.pipeline, parameters, by=given.by, change=given.change)
    while given.wait and not build.finished:
        await asyncio.sleep(_FOLLOW)
        build = await provider.status(build.id)
    return build


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        raise ValueError(f"{text!r} is no parameter; write name=value")
    return name, value


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m sysop_plugins.cicd.local", description=__doc__)
    trigger = parser.add_subparsers(required=True).add_parser("trigger", help="start a build and print it as JSON")
    trigger.add_argument("--folder", type=Path, required=True, help="the folder of builds")
    trigger.add_argument("--config", type=Path, required=True, help='JSON: {"pipelines": {name: {"command": [...]}}}')
    trigger.add_argument("--by", default=getpass.getuser(), help="who asks for it (default: you)")
    trigger.add_argument("--change", default="", help="what is new, in short")
    trigger.add_argument("--key", help="the same key never starts a second build")
    trigger.add_argument("--wait", action="store_true", help="wait for the end and tell it by the exit code")
    trigger.add_argument("pipeline")
    trigger.add_argument("parameters", nargs="*", metavar="name=value")
    return parser


if __name__ == "__main__":
    sys.exit(main())
