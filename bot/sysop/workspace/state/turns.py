"""Sessions and streams in motion: what changes them, and what time does to them."""

from __future__ import annotations

from sysop.workspace.state import publish, shapes
from sysop.workspace.state.messages import Message
from sysop.workspace.state.sessions import PROCESSING_SECONDS, TEXT_SECONDS, Session
from sysop.workspace.state.streams import LIFE
from sysop.workspace.state.world import World
from sysop.workspace.wire import Json


def set_status(world: World, session: Session, status: str, note: str = "", loading: tuple[str, ...] = ()) -> None:
    """Give a session a status. `processing` ends by itself, and the text of a legacy status sooner."""
    session.status, session.note, session.loading = status, note, loading
    session.turn += 1
    turn = session.turn
    show(world, session)

    def fall_back() -> None:
        if session.turn == turn and session.status == "processing":
            set_status(world, session, "active")

    def fall_silent() -> None:
        if session.turn == turn:
            session.note, session.loading = "", ()
            show(world, session)

    if status == "processing":
        world.timers.after(PROCESSING_SECONDS, fall_back)
    if note or loading:
        world.timers.after(TEXT_SECONDS, fall_silent)


def show(world: World, session: Session) -> None:
    """Show pages a session as it is."""
    facts = session.as_page()
    del facts["channel"]
    world.feed.publish("session", channel=session.channel, **facts)


def rename(world: World, session: Session, title: str, by: str | None = None) -> None:
    """Give a session another title; a person's wish is told to the app."""
    previous, session.title = session.title, title
    show(world, session)
    if by is None:
        return
    event: Json = {"type": "agent_session_title_changed", "user": by, "channel": session.channel}
    event |= {"thread_ts": session.thread_ts, "title": title, "event_ts": world.ts()}
    if previous:
        event["previous_title"] = previous
    world.events.emit(event, publish.place(world, session.channel))


def begin_stream(world: World, message: Message) -> None:
    """Start a stream: its message is posted, its session works, its time runs."""
    publish.post(world, message)
    session = world.sessions.open(message.channel, message.root)
    set_status(world, session, "processing")

    def expire() -> None:
        if message.stream is not None and message.stream.open:
            end_stream(world, message, "expired", "active")

    world.timers.after(LIFE, expire)


def end_stream(world: World, message: Message, how: str, status: str | None) -> None:
    """End a stream and give its session a status, if it gets one."""
    assert message.stream is not None  # only streaming messages come here
    before = shapes.message(world, message)
    message.stream.end(how)
    message.text = message.stream.text
    publish.streamed(world, message)
    publish.change(world, message, before)
    if status is not None:
        set_status(world, world.sessions.open(message.channel, message.root), status)


def stop(world: World, session: Session, user: str) -> list[str]:
    """Do what the Stop button does: end the thread's streams and tell the app, whose status stays."""
    open_ = [
        message
        for message in world.messages.everything(session.channel)
        if message.root == session.thread_ts and message.stream is not None and message.stream.open
    ]
    for message in open_:
        end_stream(world, message, "stopped_by_user", None)
    stopped = [message.ts for message in open_]
    event: Json = {"type": "agent_session_stopped", "user": user, "channel": session.channel}
    event |= {"thread_ts": session.thread_ts, "streaming_message_ts": stopped, "event_ts": world.ts()}
    world.events.emit(event, publish.place(world, session.channel))
    return stopped
