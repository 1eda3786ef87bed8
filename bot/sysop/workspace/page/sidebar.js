// The left column: the workspace, channels, the app, and who one is.

import { avatar, badges } from "./avatar.js";
import { fill, h, icon } from "./dom.js";
import { badgesOf, channelName } from "./names.js";
import { openMenu } from "./popover.js";
import { state } from "./state.js";

/** Draw the sidebar. `go` knows the ways. */
export function drawSidebar(nav, go) {
  const channels = [...state.channels.values()];
  const rooms = channels.filter((one) => one.kind !== "dm").sort((a, b) => a.name.localeCompare(b.name));
  const dms = channels.filter((one) => one.kind === "dm");
  const held = document.activeElement?.closest(".sidebar") && document.activeElement.dataset.key;
  fill(
    nav,
    h("header", { class: "team" }, h("strong", {}, state.team.name), connection()),
    h(
      "button",
      { type: "button", class: "jump", data: { key: "jump" }, on: { click: go.switcher } },
      icon("search"),
      "Jump to…",
      h("kbd", {}, isMac() ? "⌘K" : "Ctrl K"),
    ),
    group(
      "Channels",
      rooms.map((one) => row(one, icon("hash"), go)),
    ),
    state.app.messages_tab !== false &&
      group(
        "Direct messages",
        dms.map((one) => row(one, avatar(state.app.user_id, "tiny"), go)),
      ),
    state.app.home_tab && group("App", [homeRow(go)]),
    h("div", { class: "spacer" }),
    footer(go),
  );
  if (held) nav.querySelector(`[data-key="${CSS.escape(held)}"]`)?.focus();
  nav.onkeydown = (event) => walk(event, nav);
}

function connection() {
  const on = state.online && state.connections !== 0;
  const words = !state.online ? "page offline" : on ? "app connected" : "app not connected";
  return h("span", { class: on ? "connection on" : "connection", role: "status" }, words);
}

function group(label, rows) {
  return h(
    "section",
    {},
    h("h2", {}, label),
    h(
      "ul",
      {},
      rows.map((one) => h("li", {}, one)),
    ),
  );
}

function row(channel, sign, go) {
  const here = state.place.kind === "channel" && state.place.id === channel.id;
  const unread =
    channel.unread && !here
      ? h("span", { class: "unread", "aria-label": `${channel.unread} unread` }, String(channel.unread))
      : "";
  const props = {
    type: "button",
    class: unread ? "row has-unread" : "row",
    data: { key: channel.id },
    "aria-current": here ? "page" : undefined,
    on: { click: () => go.channel(channel.id) },
  };
  return h("button", props, sign, h("span", { class: "row-name" }, channelName(channel)), unread);
}

function homeRow(go) {
  const here = state.place.kind === "home";
  return h(
    "button",
    {
      type: "button",
      class: "row",
      data: { key: "home" },
      "aria-current": here ? "page" : undefined,
      on: { click: go.home },
    },
    icon("home"),
    h("span", { class: "row-name" }, `${state.app.name} Home`),
  );
}

function footer(go) {
  const me = state.me;
  const button = h(
    "button",
    {
      type: "button",
      class: "who",
      data: { key: "who" },
      "aria-haspopup": "menu",
      "aria-label": `You are ${me.real_name}. Switch user`,
      on: { click: () => chooseUser(button, go) },
    },
    avatar(me.id),
    h("span", { class: "who-name" }, me.real_name, h("span", { class: "badges" }, badges(badgesOf(me)))),
    icon("chevron"),
  );
  const inspector = h(
    "button",
    { type: "button", class: "row", data: { key: "inspector" }, on: { click: go.inspector } },
    icon("list"),
    h("span", { class: "row-name" }, "Inspector"),
  );
  return h("footer", {}, inspector, button);
}

function chooseUser(anchor, go) {
  const people = [...state.users.values()].filter((one) => !one.is_bot);
  const choices = people.map((one) => ({
    label: one.real_name,
    hint: badgesOf(one).join(", "),
    icon: avatar(one.id, "tiny"),
    run: () => go.user(one.name),
  }));
  openMenu(anchor, choices, "Switch user");
}

function walk(event, nav) {
  if (event.key !== "ArrowDown" && event.key !== "ArrowUp") return;
  const rows = [...nav.querySelectorAll("button")];
  const at = rows.indexOf(document.activeElement);
  if (at < 0) return;
  event.preventDefault();
  rows[(at + (event.key === "ArrowDown" ? 1 : -1) + rows.length) % rows.length].focus();
}

function isMac() {
  return /Mac|iPhone|iPad/.test(navigator.platform);
}
