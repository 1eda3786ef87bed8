// The main pane of a channel or a direct message: its head, its messages, its composer.

import { get, post } from "./api.js";
import { composer } from "./composer.js";
import { fill, h, icon, iconButton } from "./dom.js";
import { feed } from "./feed.js";
import { channelName } from "./names.js";
import { loadMessages, state, topLevel } from "./state.js";
import { attempt } from "./toasts.js";

/** Fill the main pane with a channel; `go` knows the ways to other places. Returns how to keep it up to date. */
export async function showChannel(pane, channel, go) {
  const isDm = channel.kind === "dm";
  const list = feed(`Messages in ${channelName(channel)}`, () => topLevel(channel.id), {
    openThread: (message) => go.thread(message.channel, message.ts),
  });
  const prompts = h("div", { class: "prompts" });
  const sent = (answer) => {
    list.bottom();
    if (isDm && answer.ts) go.thread(channel.id, answer.ts);
  };
  const write = composer(
    channel.id,
    undefined,
    isDm ? `Message ${channelName(channel)}` : `Message #${channel.name}`,
    sent,
  );
  const head = h("header", { class: "pane-head" });
  const empty = h("div", { class: "empty", hidden: true });
  fill(
    pane,
    h("section", { class: "pane", "aria-label": channelName(channel) }, head, empty, list.node, prompts, write.node),
  );

  const heading = () => {
    const sign = isDm ? h("span", { class: "dot", "aria-hidden": "true" }) : icon("hash");
    const members = isDm ? "" : h("span", { class: "topic" }, channel.topic || "");
    const tabs =
      isDm &&
      state.app.home_tab &&
      h(
        "div",
        { class: "tabs", role: "group", "aria-label": "Tabs" },
        h("button", { type: "button", on: { click: () => go.home() } }, "Home"),
        h("button", { type: "button", "aria-current": "page" }, "Messages"),
      );
    fill(
      head,
      iconButton("back", "Back to channels", () => go.sidebar(), "only-narrow"),
      h("h1", {}, sign, channelName(channel)),
      members,
      tabs,
    );
  };
  const offer = () => fill(prompts, isDm ? promptChips(channel, sent) : "");
  const welcome = () => {
    const none = !topLevel(channel.id).length;
    empty.hidden = !none;
    if (!none) return;
    const words = isDm
      ? `Ask ${channelName(channel)} anything. Each message here begins a thread.`
      : `Nothing here yet. Type a message, or / for commands.`;
    fill(
      empty,
      h("p", { class: "empty-sign", "aria-hidden": "true" }, isDm ? "👋" : "#"),
      h("h2", {}, isDm ? channelName(channel) : `#${channel.name}`),
      h("p", { class: "quiet" }, words),
    );
  };
  const render = () => {
    welcome();
    list.render();
  };

  heading();
  const body = await attempt(get(`messages/${channel.id}`, { user: state.me.id }));
  if (body) loadMessages(channel.id, body.messages);
  channel.unread = 0;
  offer();
  render();
  return { id: channel.id, render, offer, heading, focus: () => write.field.focus() };
}

function promptChips(channel, sent) {
  const offered = state.prompts.get(channel.id) ?? { prompts: state.app.suggested_prompts };
  if (!offered.prompts?.length) return "";
  const say = async (text) => {
    const answer = await attempt(post("message", { user: state.me.id, channel: channel.id, text }));
    if (answer) sent(answer);
  };
  const chip = (one) =>
    h(
      "button",
      { type: "button", class: "prompt", title: one.message, on: { click: () => say(one.message) } },
      one.title,
    );
  return [offered.title && h("span", { class: "quiet" }, offered.title), ...offered.prompts.map(chip)];
}
