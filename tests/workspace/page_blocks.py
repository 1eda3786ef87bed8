"""The blocks that the page's app shows."""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]


def plain(text: str) -> Json:
    return {"type": "plain_text", "text": text, "emoji": True}


def mrkdwn(text: str) -> Json:
    return {"type": "mrkdwn", "text": text}


def section(text: str, **more: Any) -> Json:
    return {"type": "section", "text": mrkdwn(text), **more}


def words(text: str) -> Json:
    return {
        "type": "rich_text",
        "elements": [{"type": "rich_text_section", "elements": [{"type": "text", "text": text}]}],
    }


def code(text: str) -> Json:
    part = {"type": "rich_text_preformatted", "border": 0, "elements": [{"type": "text", "text": text}]}
    return {"type": "rich_text", "elements": [part]}


def button(text: str, action_id: str, **more: Any) -> Json:
    return {"type": "button", "text": plain(text), "action_id": action_id, "value": action_id, **more}


def option(text: str, value: str | None = None, **more: Any) -> Json:
    return {"text": plain(text), "value": value or text, **more}


STATUS = [
    {"type": "header", "text": plain("Status of the shop")},
    section("*gateway* and *checkout* answer. `payments` is slow. :eyes:"),
    {
        "type": "context",
        "elements": [mrkdwn("measured by 3 probes"), mrkdwn("<https://shop.example/status|status page>")],
    },
]

DIFF = "- image: checkout:1.8.0\n+ image: checkout:1.7.3\n  replicas: 4\n  environment: production"
ARGUMENTS = '{\n  "service": "checkout",\n  "to": "1.7.3"\n}'


def approval(requester: str) -> list[Json]:
    """Return an approval card."""
    confirm = {
        "title": plain("Roll back checkout?"),
        "text": mrkdwn("`cicd.rollback` on *service:checkout* in production."),
        "confirm": plain("Approve"),
        "deny": plain("Not yet"),
    }
    fields = [
        mrkdwn("*Action*\n`cicd.rollback`"),
        mrkdwn("*Target*\nservice:checkout"),
        mrkdwn("*Environment*\nproduction"),
        mrkdwn("*Risk*\nchange, 4 replicas"),
        mrkdwn(f"*Requested by*\n<@{requester}>"),
        mrkdwn("*Votes*\n0 of 1"),
    ]
    return [
        {"type": "header", "text": plain("Approval needed · CHANGE · cicd.rollback")},
        {"type": "section", "fields": fields},
        code(ARGUMENTS),
        code(DIFF),
        {
            "type": "context",
            "elements": [mrkdwn("run `r-41c7`"), mrkdwn("digest `9f2c11ab30de`"), mrkdwn("rule _default: changes_")],
        },
        {
            "type": "actions",
            "block_id": "approval:a1:1",
            "elements": [
                button("Approve", "approve", style="primary", confirm=confirm),
                button("Deny", "deny", style="danger"),
                button("View all arguments", "view"),
            ],
        },
    ]


def decided(approver: str) -> list[Json]:
    """Return the card after the decision."""
    return [
        {"type": "header", "text": plain("Approved · cicd.rollback")},
        section(f"<@{approver}> approved. *checkout* is back on `1.7.3`. :white_check_mark:"),
        code(ARGUMENTS),
    ]


def modal(callback_id: str, title: str, blocks: list[Json], **more: Any) -> Json:
    return {"type": "modal", "callback_id": callback_id, "title": plain(title), "blocks": blocks, **more}


def field(block_id: str, label: str, element: Json, **more: Any) -> Json:
    return {"type": "input", "block_id": block_id, "label": plain(label), "element": element, **more}


def incident_modal() -> Json:
    """Return a form with most kinds of fields."""
    severities = [
        option("SEV1", "1", description=plain("customers cannot buy")),
        option("SEV2", "2"),
        option("SEV3", "3"),
    ]
    services = [option(name) for name in ("gateway", "checkout", "payments")]
    blocks = [
        {"type": "alert", "level": "info", "text": plain("A new incident gets a thread in #incidents.")},
        field(
            "title",
            "Title",
            {
                "type": "plain_text_input",
                "action_id": "title",
                "max_length": 80,
                "placeholder": plain("What is wrong?"),
            },
        ),
        field(
            "severity",
            "Severity",
            {
                "type": "static_select",
                "action_id": "severity",
                "placeholder": plain("Choose one"),
                "options": severities,
            },
        ),
        field(
            "services",
            "Services",
            {
                "type": "multi_static_select",
                "action_id": "services",
                "placeholder": plain("Which ones?"),
                "options": services,
            },
            optional=True,
        ),
        field(
            "flags",
            "Tell",
            {
                "type": "checkboxes",
                "action_id": "flags",
                "options": [option("On-call", "oncall"), option("Leads", "leads")],
            },
            optional=True,
        ),
        field(
            "runbook",
            "Runbook",
            {
                "type": "external_select",
                "action_id": "runbook",
                "min_query_length": 2,
                "placeholder": plain("Search runbooks"),
            },
            optional=True,
        ),
        field(
            "began",
            "Began on",
            {"type": "datepicker", "action_id": "began"},
            optional=True,
            hint=plain("When customers first saw it."),
        ),
        field("notes", "Notes", {"type": "plain_text_input", "action_id": "notes", "multiline": True}, optional=True),
        {"type": "actions", "block_id": "more", "elements": [button("Show details", "push")]},
    ]
    return modal("new_incident", "New incident", blocks, submit=plain("Open"), close=plain("Cancel"))


def detail_modal() -> Json:
    return modal("detail", "Details", [section("*Every argument*"), code(ARGUMENTS)], close=plain("Back"))


def deny_modal() -> Json:
    why = {"type": "plain_text_input", "action_id": "why", "multiline": True, "max_length": 500, "focus_on_load": True}
    blocks = [
        {"type": "alert", "level": "warning", "text": plain("One denial closes the approval.")},
        field("why", "Why not?", why),
    ]
    return modal("deny", "Deny", blocks, submit=plain("Deny"), private_metadata="a1")


def home(refreshed: bool = False) -> Json:
    """Return App Home."""
    blocks = [
        {"type": "header", "text": plain("My approvals")},
        section(
            "*cicd.rollback* on service:checkout\n_asked 4 minutes ago_",
            accessory=button("Refresh", "home_refresh"),
        ),
        {"type": "divider"},
        {"type": "header", "text": plain("Open incidents")},
        {
            "type": "card",
            "title": mrkdwn("*INC-12* checkout errors"),
            "subtitle": plain("SEV2 · 6 minutes"),
            "body": mrkdwn("3 alerts grouped by topology"),
        },
        {"type": "header", "text": plain("Plugin health")},
        {
            "type": "table",
            "column_settings": [{"is_wrapped": True}, {"align": "right"}],
            "rows": [
                [{"type": "raw_text", "text": "Plugin"}, {"type": "raw_text", "text": "Calls today"}],
                [{"type": "raw_text", "text": "metrics"}, {"type": "raw_text", "text": "412"}],
                [{"type": "raw_text", "text": "cicd"}, {"type": "raw_text", "text": "7"}],
            ],
        },
        {
            "type": "context",
            "elements": [mrkdwn("refreshed just now" if refreshed else "published when you opened it")],
        },
    ]
    return {"type": "home", "blocks": blocks}


ANSWER = """**checkout 1.8.0 broke it.** The error ratio rose from 0.1 % to 4.1 % within a minute of the release.

| Version | Error ratio | p99 |
| --- | ---: | ---: |
| 1.7.3 | 0.1 % | 180 ms |
| 1.8.0 | 4.1 % | 2.4 s |

1. Roll `checkout` back to `1.7.3`
2. Check `service:error_ratio:rate1m` for five minutes

> A rollback needs the approval of on-call.
"""

FEEDBACK = [
    {
        "type": "context_actions",
        "elements": [
            {
                "type": "feedback_buttons",
                "action_id": "feedback",
                "positive_button": {"text": plain("Good"), "value": "good", "accessibility_label": "Good answer"},
                "negative_button": {"text": plain("Bad"), "value": "bad", "accessibility_label": "Bad answer"},
            }
        ],
    }
]


def task(number: int, title: str, status: str, **more: Any) -> Json:
    return {"type": "task_card", "task_id": str(number), "title": title, "status": status, **more}


def hostile(text: str) -> list[Json]:
    """Return a text in every place where an app can put one."""
    return [
        {"type": "header", "text": plain(text)},
        words(text),
        code(text),
        {"type": "context", "elements": [plain(text)]},
        {"type": "actions", "elements": [button(text, "never")]},
        task(1, text, "complete"),
    ]
