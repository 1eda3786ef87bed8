"""Which topics of Amazon SNS are let in, and with them which hosts of AWS may be asked."""

from __future__ import annotations

import re

from pydantic import BaseModel, ConfigDict, computed_field, field_validator

_TOPIC = re.compile(r"arn:(aws|aws-cn|aws-us-gov):sns:([a-z]{2}(?:-[a-z]+)+-\d):\d{12}:[A-Za-z0-9_.-]{1,256}")


class Settings(BaseModel):
    """The topics by their full name, such as `arn:aws:sns:eu-west-1:123456789012:alarms`; others are strangers."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    topics: tuple[str, ...] = ()

    @field_validator("topics")
    @classmethod
    def _names(cls, topics: tuple[str, ...]) -> tuple[str, ...]:
        for topic in topics:
            if not _TOPIC.fullmatch(topic):
                raise ValueError(
                    f"{topic!r} is no topic of SNS; write its whole name, "
                    "such as arn:aws:sns:eu-west-1:123456789012:alarms"
                )
        return topics

    @computed_field  # type: ignore[prop-decorator]
    @property
    def servers(self) -> tuple[str, ...]:
        """Return where SNS is in the topics' regions: the way out is open to these addresses, and to no others."""
        return tuple(dict.fromkeys(f"https://{server_of(topic)}" for topic in self.topics))


def server_of(topic: str) -> str:
    """Return the host that serves a topic. Raises ValueError for what is no topic."""
    found = _TOPIC.fullmatch(topic)
    if found is None:
        raise ValueError(f"TopicArn: {topic!r} is no topic of SNS")
    partition, region = found.groups()
    return f"sns.{region}.amazonaws.com{'.cn' if partition == 'aws-cn' else ''}"
