"""Who gets in: what Amazon SNS has signed for a topic of the settings. A subscription to such a topic is confirmed."""

from __future__ import annotations

import logging
from urllib.parse import parse_qs, urlsplit

from sysop.api import ActionFailed, Delivery, Http, NotGenuine, PluginContext
from sysop_plugins.cloudwatch.certificates import Certificates
from sysop_plugins.cloudwatch.message import Message, read_message
from sysop_plugins.cloudwatch.settings import Settings, server_of

log = logging.getLogger(__name__)


class Door:
    """Checks deliveries, and keeps the certificates it has seen."""

    def __init__(self) -> None:
        self._certificates = Certificates()

    async def accept(self, delivery: Delivery, ctx: PluginContext) -> None:
        """Let a delivery in. Raises ValueError, NotGenuine, or ActionFailed where AWS cannot be asked now."""
        message = read_message(delivery)
        settings: Settings = ctx.settings
        if message.TopicArn not in settings.topics:
            raise NotGenuine(f"the topic {message.TopicArn!r} is not in plugins.cloudwatch.topics")
        server = server_of(message.TopicArn)
        certificate = await self._certificates.get(message.SigningCertURL, server, ctx.http)
        certificate.check(message)
        if message.Type == "SubscriptionConfirmation":
            await _confirm(message, server, ctx.http)
        elif message.Type == "UnsubscribeConfirmation":
            log.warning("the subscription to %s was ended; its alarms come no more", message.TopicArn)


async def _confirm(message: Message, server: str, http: Http) -> None:
    """Ask SNS to send from now on. Doing it again changes nothing."""
    url = message.SubscribeURL or ""
    if not _confirms(url, message.TopicArn, server):
        raise NotGenuine(f"SubscribeURL does not confirm a subscription to {message.TopicArn} at {server}")
    answer = await http.request("GET", url)
    if answer.status != 200:
        raise ActionFailed(f"cloudwatch: {server} answered {answer.status} to the confirmation")
    log.info("the subscription to %s is confirmed", message.TopicArn)


def _confirms(url: str, topic: str, server: str) -> bool:
    parts = urlsplit(url)
    asked = parse_qs(parts.query)
    place = (parts.scheme, parts.netloc, parts.path)
    return (
        place == ("https", server, "/")
        and asked.get("Action") == ["ConfirmSubscription"]
        and asked.get("TopicArn") == [topic]
    )
