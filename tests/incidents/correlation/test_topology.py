"""What the engine reads from a topology and from labels."""

from __future__ import annotations

from typing import Any

import pytest

from sysop.incidents.correlation import Topology
from sysop.incidents.correlation.entity import entity_of
from sysop.inventory import Inventory, Service

SHOP = Topology.from_json(
    {
        "services": {
            "shop/web": {"namespace": "shop", "name": "web", "pods": {"web-7d9f-x2": "machine-1"}},
            "shop/db": {"namespace": "shop", "name": "db", "pods": {"db-0": "machine-2"}},
            "lab/web": {"namespace": "lab", "name": "web"},
        },
        "edges": [["shop/web", "shop/db"]],
        "nodes": ["machine-3"],
        "scope_labels": ["namespace"],
    }
)


@pytest.mark.parametrize(
    ("labels", "service", "machine"),
    [
        ({"pod": "web-7d9f-x2"}, "shop/web", "machine-1"),
        ({"namespace": "lab", "service_name": "web"}, "lab/web", None),
        ({"namespace": "shop", "pod": "web-new-pod"}, "shop/web", None),
        ({"destination_service": "db.shop.svc.cluster.local"}, "shop/db", None),
        ({"instance": "machine-3:9100"}, None, "machine-3"),
        ({"node": "machine-2"}, None, "machine-2"),
        ({"deployment": "unheard-of"}, "unheard-of", None),
        ({"pod": "queue-6b7-zz"}, "queue", None),
        ({}, None, None),
    ],
)
def test_labels_are_read_as_the_thing_itself_before_what_scrapes_it(
    labels: dict[str, str], service: str | None, machine: str | None
) -> None:
    entity = entity_of(labels, SHOP)
    assert (entity.service, entity.machine) == (service, machine)


def test_a_name_two_namespaces_share_is_not_guessed() -> None:
    assert SHOP.find("web", None) is None
    assert SHOP.find("web", "shop") == "shop/web"


def test_calls_learnt_later_are_taken_by_name_and_unknown_names_left_out() -> None:
    more = SHOP.with_calls([("db", "shop/web"), ("nobody", "db")])
    assert more.calls == {("shop/web", "shop/db"), ("shop/db", "shop/web")}
    assert SHOP.calls == {("shop/web", "shop/db")}


def test_an_inventory_gives_services_environments_and_calls() -> None:
    services = {"web": Service("web", "staging", depends_on=("db", "elsewhere")), "db": Service("db", "staging")}
    topology = Topology.from_inventory(Inventory(services))
    assert topology.calls == {("web", "db")}
    assert entity_of({"service": "web"}, topology).scope == ("staging",)
    assert entity_of({"service": "unknown"}, topology).scope == ("production",)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ([], "the topology must be an object, not list"),
        ({"services": ["web"]}, "services must be an object, not list"),
        ({"services": {"web": "x"}}, "services.web must be an object, not str"),
        ({"services": {"web": {"name": 3}}}, r"services.web.name must be a text"),
        ({"services": {"web": {"pods": ["p"]}}}, r"services.web.pods must be an object, not list"),
        ({"edges": "web"}, r"edges must be a list of \[caller, callee\]"),
        ({"edges": [["a"]]}, r"edges\[0\] must be \[caller, callee\]"),
        ({"edges": [["a", 1]]}, r"edges\[0\] must be a list of texts"),
        ({"edges": [["a", "b"]]}, "edges name 'a', which is not a key of services"),
        ({"nodes": "machine"}, "nodes must be a list of texts"),
        ({"scope_labels": [1]}, "scope_labels must be a list of texts"),
        ({"alerts": {}, "incidents": {}}, "services is missing"),
    ],
)
def test_a_wrong_topology_names_the_field(data: Any, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Topology.from_json(data)
