// What the page knows: one plain object, changed by events, watched by the parts that show it.

/** The whole of it. `messages` holds each channel's messages by ts, ephemerals among them. */
export const state = {
  me: null,
  team: { name: "" },
  app: { name: "", commands: [], shortcuts: [], suggested_prompts: [] },
  users: new Map(),
  groups: new Map(),
  channels: new Map(),
  sessions: new Map(),
  messages: new Map(),
  prompts: new Map(),
  home: null,
  views: [],
  last: 0,
  online: true,
  connections: 0,
  place: { kind: "none" },
  thread: null,
};

const watchers = new Map();

/** Call a function when something of this name changes. */
export function watch(name, call) {
  if (!watchers.has(name)) watchers.set(name, new Set());
  watchers.get(name).add(call);
}

/** Tell those who watch. */
export function changed(name, detail) {
  for (const call of watchers.get(name) ?? []) call(detail);
}

/** Return the key of a thread's session. */
export function threadKey(channel, ts) {
  return `${channel} ${ts}`;
}

/** Return the messages of a channel, made when first asked for. */
export function messagesOf(channel) {
  if (!state.messages.has(channel)) state.messages.set(channel, new Map());
  return state.messages.get(channel);
}

/** Return a channel's own messages, oldest first. */
export function topLevel(channel) {
  return sorted(
    [...messagesOf(channel).values()].filter(
      (one) => !one.thread_ts || one.thread_ts === one.ts || one.subtype === "thread_broadcast",
    ),
  );
}

/** Return the replies of a thread, oldest first, without its root. */
export function repliesOf(channel, root) {
  return sorted([...messagesOf(channel).values()].filter((one) => one.thread_ts === root && one.ts !== root));
}

function sorted(list) {
  return list.sort((a, b) => (a.ts < b.ts ? -1 : a.ts > b.ts ? 1 : 0));
}

/** Return the session of a thread. */
export function sessionOf(channel, ts) {
  return state.sessions.get(threadKey(channel, ts));
}

/** Return the direct message with the app. */
export function appChannel() {
  return [...state.channels.values()].find((one) => one.kind === "dm");
}

/** Take in the whole state as one person sees it. */
export function load(body) {
  state.team = body.team;
  state.app = body.app;
  state.users = new Map(body.users.map((one) => [one.id, one]));
  state.groups = new Map((body.groups ?? []).map((one) => [one.id, one]));
  state.me = state.users.get(body.me);
  state.channels = new Map(body.channels.map((one) => [one.id, one]));
  state.sessions = new Map((body.sessions ?? []).map((one) => [threadKey(one.channel, one.thread_ts), one]));
  state.home = body.home ?? null;
  state.views = body.views ?? [];
  state.prompts = new Map(body.channels.filter((one) => one.prompts).map((one) => [one.id, one.prompts]));
  state.connections = body.connections;
  state.last = body.last ?? 0;
  state.messages = new Map();
}

/** Take in messages that were asked for. */
export function loadMessages(channel, list) {
  const known = messagesOf(channel);
  for (const one of list) known.set(one.ts, one);
}
