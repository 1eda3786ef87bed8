// The right panel: one thread with its session's bar and a composer of its own.

import { get } from "./api.js";
import { composer } from "./composer.js";
import { fill, h, iconButton } from "./dom.js";
import { feed } from "./feed.js";
import { channelName } from "./names.js";
import { sessionBar } from "./sessions.js";
import { loadMessages, messagesOf, repliesOf, sessionOf, state } from "./state.js";
import { attempt } from "./toasts.js";

/** Fill the panel with a thread. Returns how to keep it up to date. */
export async function showThread(panel, channelId, root, close) {
  const channel = state.channels.get(channelId);
  const messages = () => {
    const first = messagesOf(channelId).get(root);
    return [...(first ? [first] : []), ...repliesOf(channelId, root)];
  };
  const list = feed("Thread", messages, { inThread: true });
  const write = composer(channelId, root, "Reply…", () => list.bottom());
  const bar = h("div", {});
  const where = channel ? (channel.kind === "dm" ? channelName(channel) : `#${channel.name}`) : "";
  const head = h(
    "header",
    { class: "pane-head" },
    iconButton("back", "Back", close, "only-narrow"),
    h("h2", {}, "Thread", h("span", { class: "quiet" }, where)),
    iconButton("close", "Close thread", close, "only-wide"),
  );
  fill(panel, h("section", { class: "pane" }, head, bar, list.node, write.node));

  const status = () => fill(bar, sessionBar(sessionOf(channelId, root)));
  const body = await attempt(get(`messages/${channelId}`, { user: state.me.id, thread: root }));
  if (body) loadMessages(channelId, body.messages);
  status();
  list.render();
  return { channel: channelId, root, render: list.render, status, focus: () => write.field.focus() };
}
