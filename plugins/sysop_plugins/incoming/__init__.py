"""What the alert sources share: reading a body strictly, and the words in which they tell of an alert."""

from sysop_plugins.incoming.fields import Id, Milliseconds, Sent, SentAlert, Text, Time, link, milliseconds, with_text
from sysop_plugins.incoming.reading import read, refuse, tell_of_cut

__all__ = [
    "Id",
    "Milliseconds",
    "Sent",
    "SentAlert",
    "Text",
    "Time",
    "link",
    "milliseconds",
    "read",
    "refuse",
    "tell_of_cut",
    "with_text",
]
