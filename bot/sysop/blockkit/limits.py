"""Slack's numbers: one name for each limit, so that a table of them can be read at a glance."""

from __future__ import annotations

from typing import Final, Literal

Surface = Literal["message", "modal", "home"]

MOST_BLOCKS: Final[dict[Surface, int]] = {"message": 50, "modal": 100, "home": 100}
ID: Final = 255
URL: Final = 3000

TEXT: Final = 3000
FIELD: Final = 2000
FIELDS: Final = 10
HEADER: Final = 150
MARKDOWN: Final = 12_000
MESSAGE_TEXT: Final = 40_000
UPDATE_TEXT: Final = 4_000
ADVISED_TEXT: Final = 4_000
ADVISED_METADATA_BYTES: Final = 1_024
ATTACHMENTS: Final = 100
RENDERED: Final = 13_200
RENDERED_PER_HEADER: Final = 100

ACTIONS: Final = 25
CONTEXT: Final = 10
CONTEXT_ACTIONS: Final = 5

BUTTON_TEXT: Final = 75
BUTTON_VALUE: Final = 2000
BUTTON_LABEL: Final = 75
AGENT_PROMPT: Final = 4000
VISIBLE_TO: Final = 10
CONFIRM_TITLE: Final = 100
CONFIRM_TEXT: Final = 300
CONFIRM_BUTTON: Final = 30

OPTIONS: Final = 100
OPTION_TEXT: Final = 75
OPTION_VALUE: Final = 150
OVERFLOW_OPTIONS: Final = 5
FEW_OPTIONS: Final = 10
PLACEHOLDER: Final = 150
INPUT_LABEL: Final = 2000
INPUT_TEXT: Final = 3000
FILES: Final = 10
LINES: Final = 100

IMAGE_ALT: Final = 2000
IMAGE_TITLE: Final = 2000
VIDEO_TITLE: Final = 200
VIDEO_NAME: Final = 50

TASKS: Final = 50
TASK_TITLE: Final = 256
TASK_TEXT: Final = 256
ALERT_TEXT: Final = 200
CARD_TITLE: Final = 150
CARD_TEXT: Final = 200
CARD_BUTTONS: Final = 3
CAROUSEL: Final = 10
CHILDREN: Final = 10

TABLE_ROWS: Final = 100
TABLE_COLUMNS: Final = 20
TABLE_CHARACTERS: Final = 10_000
TABLES: Final = 1
DATA_TABLE_ROWS: Final = (2, 201)
DATA_TABLE_CHARACTERS: Final = 20_000
DATA_TABLE_PAGE: Final = 100
CHARTS: Final = 2
CHART_TITLE: Final = 50
CHART_LABEL: Final = 20
CHART_SERIES: Final = 12
CHART_POINTS: Final = 20

VIEW_WORD: Final = 24
VIEW_METADATA: Final = 3000
VIEW_BYTES: Final = 250_000

_EVERYWHERE: Final = frozenset(
    ["actions", "card", "context", "divider", "header", "image", "input", "rich_text", "section", "video"]
)
_WIDE: Final = frozenset(["carousel", "container", "data_table", "table"])
SURFACES: Final[dict[Surface, frozenset[str]]] = {
    "message": _EVERYWHERE | _WIDE | {"context_actions", "data_visualization", "markdown", "plan", "task_card"},
    "modal": _EVERYWHERE | {"alert"},
    "home": _EVERYWHERE | _WIDE,
}
CONTAINER_CHILDREN: Final = (_EVERYWHERE - {"card"}) | {"table"}
