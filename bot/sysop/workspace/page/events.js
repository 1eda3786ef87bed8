// Applies one change of the server's feed to the state and says what changed.

import { changed, messagesOf, sessionOf, state, threadKey } from "./state.js";

const HANDLERS = {
  message: (event) => put(event, true),
  ephemeral: (event) => put(event, true),
  message_changed: (event) => put(event, false),
  stream: (event) => put(event, false),
  message_deleted: remove,
  reaction: react,
  session: noteSession,
  prompts: notePrompts,
  home: noteHome,
  view_opened: (event) => openView(event.view),
  view_updated: (event) => updateView(event.view),
  view_closed: closeView,
  channel_created: () => changed("reload"),
  member: () => changed("reload"),
  topic: noteTopic,
  toast: (event) => changed("toast", event),
  connection: noteConnection,
  file: () => changed("files"),
};

/** Apply a change; what is unknown is left alone. */
export function apply(event) {
  state.last = event.n;
  HANDLERS[event.type]?.(event);
  changed("event", event);
}

function put(event, fresh) {
  const message = event.message;
  const channel = event.channel ?? message.channel;
  const known = messagesOf(channel);
  const before = known.get(message.ts);
  if (!fresh && !before && message.thread_ts && message.thread_ts !== message.ts && !known.has(message.thread_ts))
    return;
  known.set(message.ts, { ...message, channel });
  changed("message", { channel, ts: message.ts, thread: message.thread_ts, fresh: fresh && !before, message });
}

function remove(event) {
  messagesOf(event.channel).delete(event.ts);
  changed("message", { channel: event.channel, ts: event.ts, thread: event.thread_ts, gone: true });
}

function react(event) {
  const message = messagesOf(event.channel).get(event.ts);
  if (!message) return;
  message.reactions = event.reactions;
  changed("message", { channel: event.channel, ts: event.ts, thread: message.thread_ts, message });
}

function noteSession(event) {
  const { n, type, ...session } = event;
  const before = sessionOf(event.channel, event.thread_ts);
  state.sessions.set(threadKey(event.channel, event.thread_ts), { ...before, ...session });
  changed("session", event);
}

function notePrompts(event) {
  state.prompts.set(event.channel, { title: event.title, prompts: event.prompts ?? [] });
  changed("prompts", event);
}

function noteHome(event) {
  state.home = event.view;
  changed("home");
}

function noteTopic(event) {
  const channel = state.channels.get(event.channel);
  if (channel) channel.topic = event.topic;
  changed("channels");
}

function noteConnection(event) {
  state.connections = event.count;
  changed("connection", event);
}

function openView(view) {
  state.views = [...state.views.filter((one) => one.id !== view.id), view];
  changed("views", { top: view.id });
}

function updateView(view) {
  const known = state.views.some((one) => one.id === view.id);
  state.views = known ? state.views.map((one) => (one.id === view.id ? view : one)) : [...state.views, view];
  changed("views", { top: view.id, updated: true });
}

function closeView(event) {
  state.views = state.views.filter((one) => one.id !== event.view_id);
  changed("views", {});
}
