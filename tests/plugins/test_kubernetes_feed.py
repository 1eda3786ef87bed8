"""What was rolled out by others, as the record of changes hears of it."""

from __future__ import annotations

from typing import Any

import pytest
from kubernetes_kit import cluster, section

from sysop.api import PluginContext
from sysop.testing.kubernetes import ApiServer, Cluster, Rights, reader
from sysop_plugins import kubernetes
from sysop_plugins.kubernetes.feed import version_of
from sysop_plugins.kubernetes.settings import Settings


async def told(world: Any, made: Cluster, since: int = 0, **more: Any) -> list[tuple[str, str | None, str, str, str]]:
    with ApiServer(made, {"token": reader("looker")}) as server:
        settings = Settings.model_validate(section(server.url, feed=True, **more))
        (source,) = kubernetes.register_change_sources(settings)
        ctx = PluginContext("kubernetes", settings, world.folder, world.inventory, world.http)
        found = await source.look(ctx, lambda _name: "token", since)
        assert all(one.source == "kubernetes" and one.at > 1_600_000_000_000 for one in found)
        return [(str(one.kind), one.service, one.before, one.after, str(one.state)) for one in found]


async def test_every_rollout_is_told_by_what_it_changed(world):
    made = cluster()
    assert await told(world, made) == [("deploy", "checkout", "1.3.0", "1.4.0", "done")]
    made.set_image("shop", "checkout", "shop/checkout:1.3.0")
    assert (await told(world, made))[-1] == ("deploy", "checkout", "1.4.0", "1.3.0", "done")
    for note in ("kubectl.kubernetes.io/restartedAt", "checksum/config"):

        def make(found: dict[str, Any], note: str = note) -> dict[str, Any]:
            found["spec"]["template"]["metadata"].setdefault("annotations", {})[note] = "now"
            return found

        made.change("deployments", "shop", "gateway", make, by="ann", field_manager="kubectl")
        made.every("deployments")
    kinds = [kind for kind, service, *_ in await told(world, made) if service == "gateway"]
    assert kinds == ["restart", "config"]


async def test_one_that_hangs_is_told_as_one_that_could_not_be(world):
    made = cluster()
    made.bad_images.add("shop/checkout:9")
    made.set_image("shop", "checkout", "shop/checkout:9")
    assert (await told(world, made))[-1] == ("deploy", "checkout", "1.4.0", "9", "started")
    for _ in range(8):
        made.every("deployments")
    assert (await told(world, made))[-1] == ("deploy", "checkout", "1.4.0", "9", "failed")


async def test_what_is_older_is_not_told_again_and_without_the_setting_nothing_is_asked(world):
    assert await told(world, cluster(), since=4_000_000_000_000) == []
    assert list(kubernetes.register_change_sources(Settings.model_validate(section("http://k")))) == []


async def test_what_we_did_ourselves_has_the_name_the_cluster_gives_it(world):
    world.secrets["kubernetes"] = "all"
    with ApiServer(cluster(), {"all": Rights("sysop"), "token": reader("looker")}) as server:
        world.settings["kubernetes"] = section(server.url)
        action = next(one for one in kubernetes.register_actions() if one.name == "rollout_undo")
        result = await world.call("kubernetes.rollout_undo", service="checkout")
        ours = action.changes(action.parameters(service="checkout"), result)
        settings = Settings.model_validate(section(server.url, feed=True))
        (source,) = kubernetes.register_change_sources(settings)
        ctx = PluginContext("kubernetes", settings, world.folder, world.inventory, world.http)
        server.cluster.every("deployments")
        theirs = (await source.look(ctx, lambda _name: "token", 0))[-1]
    assert (ours.source, ours.id, ours.after) == (theirs.source, theirs.id, theirs.after)
    assert (ours.before, ours.after) == ("1.4.0", "1.3.0")


@pytest.mark.parametrize(
    ("images", "version"),
    [
        ("shop/checkout:1.4.0", "1.4.0"),
        ("r:5000/checkout", "r:5000/checkout"),
        ("a:1, b:2", "a:1, b:2"),
        ("web", "web"),
    ],
)
def test_a_version_is_the_tag_of_a_single_image(images, version):
    assert version_of(images) == version
