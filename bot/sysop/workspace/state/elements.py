"""The interactive elements of Block Kit, and what each calls its value."""

from __future__ import annotations

VALUE = {
    "plain_text_input": "value",
    "email_text_input": "value",
    "url_text_input": "value",
    "number_input": "value",
    "rich_text_input": "rich_text_value",
    "file_input": "files",
    "static_select": "selected_option",
    "external_select": "selected_option",
    "radio_buttons": "selected_option",
    "overflow": "selected_option",
    "multi_static_select": "selected_options",
    "multi_external_select": "selected_options",
    "checkboxes": "selected_options",
    "users_select": "selected_user",
    "multi_users_select": "selected_users",
    "conversations_select": "selected_conversation",
    "multi_conversations_select": "selected_conversations",
    "channels_select": "selected_channel",
    "multi_channels_select": "selected_channels",
    "datepicker": "selected_date",
    "timepicker": "selected_time",
    "datetimepicker": "selected_date_time",
}
"""What each stateful element calls its value."""

BUTTONS = ("button", "icon_button", "workflow_button")
INTERACTIVE = frozenset([*VALUE, *BUTTONS, "feedback_buttons"])
"""What is known to the app by an `action_id`."""

INNER = {"container": "child_blocks", "carousel": "elements"}
"""Where a block keeps blocks of its own."""
