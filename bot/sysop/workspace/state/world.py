"""Everything a workspace holds, built from its settings."""

from __future__ import annotations

from dataclasses import dataclass

from sysop.workspace.clock import Clock
from sysop.workspace.faults import DELIVERY_KINDS, METHOD_KINDS, Faults
from sysop.workspace.ids import Ids
from sysop.workspace.limits import Limiter
from sysop.workspace.log import Log
from sysop.workspace.seed import WorkspaceSettings
from sysop.workspace.state.app import App
from sysop.workspace.state.channels import Channel, Channels
from sysop.workspace.state.events import Events
from sysop.workspace.state.feed import Feed
from sysop.workspace.state.files import Files
from sysop.workspace.state.hooks import Hooks
from sysop.workspace.state.messages import Messages
from sysop.workspace.state.people import People, User
from sysop.workspace.state.sessions import Sessions
from sysop.workspace.state.triggers import Triggers
from sysop.workspace.state.views import Views
from sysop.workspace.timers import Timers
from sysop.workspace.wire import Json


@dataclass
class World:
    """The state of one workspace. All of it is changed on one event loop, between two awaits."""

    team_id: str
    team_name: str
    team_domain: str
    clock: Clock
    ids: Ids
    timers: Timers
    app: App
    people: People
    channels: Channels
    messages: Messages
    sessions: Sessions
    views: Views
    files: Files
    triggers: Triggers
    hooks: Hooks
    events: Events
    feed: Feed
    log: Log
    limiter: Limiter
    faults: Faults
    astray: Faults
    prompts: dict[str, Json]
    base_url: str = ""

    def ts(self) -> str:
        """Return the next ts."""
        return self.ids.ts(self.clock.now())

    @property
    def bot(self) -> User:
        """Return the app's bot user."""
        user = self.people.get(self.app.user_id)
        assert user is not None  # it is added when the world is built and never removed
        return user

    def open_dm(self, user_id: str) -> Channel:
        """Return somebody's direct message with the bot."""
        found = self.channels.dm(user_id, self.app.user_id)
        if found is not None:
            return found
        members = [user_id, self.app.user_id]
        return self.channels.add(Channel(self.ids.make("D"), "", "dm", int(self.clock.now()), user_id, members))


def build(settings: WorkspaceSettings) -> World:
    """Return a workspace as its settings describe it, with nothing in it but people and channels."""
    clock, ids, manifest = settings.clock, settings.ids, settings.app
    team_id, people, channels = ids.make("T"), People(), Channels()
    app = App(manifest, ids.make("A"), ids.make("B"), ids.make("U"), set(manifest.scopes))
    name = manifest.display_name.lower().replace(" ", "-")
    bot = User(app.user_id, team_id, name, manifest.display_name, is_bot=True, bot_id=app.bot_id, app_id=app.app_id)
    people.add(bot)
    people.settle(settings.users, ids, team_id)
    _settle_channels(settings, channels, people, app, ids)

    def sees(user: str, channel: str) -> bool:
        place = channels.get(channel)
        return place is not None and user in place.members

    world = World(
        team_id=team_id,
        team_name=settings.team_name,
        team_domain=settings.team_domain,
        clock=clock,
        ids=ids,
        timers=Timers(clock),
        app=app,
        people=people,
        channels=channels,
        messages=Messages(),
        sessions=Sessions(),
        views=Views(ids),
        files=Files(),
        triggers=Triggers(clock, ids),
        hooks=Hooks(clock),
        events=Events(clock, ids, app, people, team_id, settings.events_per_hour),
        feed=Feed(sees),
        log=Log(clock),
        limiter=Limiter(clock),
        faults=Faults(METHOD_KINDS),
        astray=Faults(DELIVERY_KINDS),
        prompts={},
    )
    for user in people:
        if not user.is_bot:
            world.open_dm(user.id)
    return world


def _settle_channels(settings: WorkspaceSettings, channels: Channels, people: People, app: App, ids: Ids) -> None:
    for name in settings.channels:
        members = [
            user.id
            for seed in settings.users
            if (seed.channels is None or name in seed.channels) and (user := people.named(seed.name)) is not None
        ]
        created = int(settings.clock.now())
        creator = members[0] if members else app.user_id
        channels.add(Channel(ids.make("C"), name, "channel", created, creator, [app.user_id, *members]))
