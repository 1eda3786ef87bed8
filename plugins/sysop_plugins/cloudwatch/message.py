"""What Amazon SNS sends, and which of its fields it signs (SNS developer guide, "Verifying the signatures")."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field

from sysop.api import Delivery
from sysop_plugins.incoming import Id, Sent, Text, read

_NOTIFICATION = ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type")
_CONFIRMATION = ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type")


class Message(Sent):
    """One message. `Message` is the text that was published, of an alarm a JSON document."""

    Type: Literal["Notification", "SubscriptionConfirmation", "UnsubscribeConfirmation"]
    MessageId: Id
    TopicArn: Annotated[str, Field(min_length=1, max_length=400)]
    Message: str
    Timestamp: Text
    SignatureVersion: Literal["1", "2"]
    Signature: Text
    SigningCertURL: Text
    Subject: str | None = None
    Token: str | None = None
    SubscribeURL: str | None = None

    @property
    def notifies(self) -> bool:
        """Tell whether this was published to the topic, and is not about the subscription."""
        return self.Type == "Notification"

    def signed(self) -> bytes:
        """Return the text whose signature `Signature` is. Fields that were not sent are left out."""
        return "".join(self._signed_lines()).encode("utf-8", "replace")

    def _signed_lines(self) -> Iterator[str]:
        for name in _NOTIFICATION if self.notifies else _CONFIRMATION:
            value = getattr(self, name)
            if value is not None:
                yield f"{name}\n{value}\n"


def read_message(delivery: Delivery) -> Message:
    """Return the message. Raises ValueError naming each wrong field."""
    return read(Message, delivery.json, "a message of Amazon SNS (is raw message delivery on?)")
