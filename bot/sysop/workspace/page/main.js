// Starts the page: loads the state of one person, shows a place, and keeps it as it is.

import { Refused, get, listen, post } from "./api.js";
import { showChannel } from "./channel.js";
import { fill, h, typing } from "./dom.js";
import { apply } from "./events.js";
import { showHome } from "./home.js";
import { showInspector } from "./inspector.js";
import { startModals } from "./modal.js";
import { authorOf, channelName } from "./names.js";
import { closeMenu } from "./popover.js";
import { drawSidebar } from "./sidebar.js";
import { appChannel, changed, load, state, watch } from "./state.js";
import { toggleSwitcher } from "./switcher.js";
import { showThread } from "./thread.js";
import { attempt, toast } from "./toasts.js";

const app = document.getElementById("app");
const nav = document.getElementById("sidebar");
const main = document.getElementById("main");
const threadPanel = document.getElementById("thread");
const inspectorPanel = document.getElementById("inspector");

const DEFAULT_USER = "requester";
const READ_AFTER = 400;
let stopListening = () => {};
let stopInspector = null;
let pane = null;
let thread = null;
let step = 0;
let reading;

const go = {
  channel: (id) => openChannel(id),
  home: () => openHome(),
  dm: () => openChannel(appChannel()?.id),
  thread: (channel, ts) => openThread(channel, ts),
  sidebar: () => show("sidebar"),
  inspector: () => toggleInspector(),
  switcher: () => toggleSwitcher(go),
  user: (name) => become(name),
};

// On a narrow screen one pane is seen at a time.
function show(name) {
  app.dataset.pane = name;
  if (name === "main") pane?.render();
}

async function openChannel(id) {
  const channel = state.channels.get(id);
  if (!channel) return;
  closeThread();
  state.place = { kind: "channel", id };
  const mine = (step += 1);
  remember(id);
  show("main");
  drawSidebar(nav, go);
  document.title = `${channelName(channel)} · ${state.team.name}`;
  const opened = await showChannel(main, channel, go);
  if (mine !== step) return;
  pane = opened;
  drawSidebar(nav, go);
  pane.focus();
  if (channel.kind === "dm") attempt(post("open_dm", { user: state.me.id }));
}

async function openHome() {
  closeThread();
  state.place = { kind: "home" };
  const mine = (step += 1);
  remember("home");
  show("main");
  drawSidebar(nav, go);
  document.title = `${state.app.name} Home · ${state.team.name}`;
  const opened = await showHome(main, go);
  if (mine === step) pane = opened;
}

async function openThread(channel, ts) {
  threadPanel.hidden = false;
  show("thread");
  state.thread = { channel, ts };
  const opened = await showThread(threadPanel, channel, ts, closeThread);
  if (state.thread?.ts !== ts) return;
  thread = opened;
  thread.focus();
}

function closeThread() {
  if (!state.thread) return;
  const from = state.thread.ts;
  const inside = threadPanel.contains(document.activeElement);
  state.thread = null;
  thread = null;
  threadPanel.hidden = true;
  threadPanel.replaceChildren();
  show("main");
  const root = main.querySelector(`.message[data-ts="${CSS.escape(from)}"]`);
  if (inside) (root ?? main).focus({ preventScroll: true });
}

function toggleInspector() {
  if (stopInspector) {
    stopInspector();
    stopInspector = null;
    inspectorPanel.hidden = true;
    show(state.thread ? "thread" : "main");
    return;
  }
  inspectorPanel.hidden = false;
  show("inspector");
  stopInspector = showInspector(inspectorPanel, toggleInspector);
}

function remember(place) {
  const address = new URL(location.href);
  address.searchParams.set("user", state.me.name);
  address.hash = place;
  history.replaceState(null, "", address);
}

function wanted() {
  const place = decodeURIComponent(location.hash.slice(1));
  if (place === "home" && state.app.home_tab) return openHome();
  const channel =
    state.channels.get(place) ??
    [...state.channels.values()].find((one) => one.name === place) ??
    [...state.channels.values()].find((one) => one.kind !== "dm") ??
    appChannel();
  return openChannel(channel?.id);
}

async function become(name) {
  stopListening();
  closeMenu();
  closeThread();
  app.setAttribute("aria-busy", "true");
  const body = await get("state", { user: name });
  load(body);
  pane = null;
  stopListening = listen(state.me.id, state.last, apply, (on) => {
    state.online = on;
    changed("connection");
  });
  changed("views", {});
  await wanted();
  app.removeAttribute("aria-busy");
}

function onMessage(change) {
  const { channel, thread: root, fresh, message } = change;
  const here = state.place.kind === "channel" && state.place.id === channel;
  if (here) pane?.render();
  if (thread && thread.channel === channel && (thread.root === root || thread.root === change.ts)) thread.render();
  if (!fresh || message.user === state.me.id) return;
  const place = state.channels.get(channel);
  const seen =
    (here && document.visibilityState === "visible") || (state.thread?.channel === channel && state.thread.ts === root);
  if (seen) markRead(channel, state.thread?.ts === root ? root : undefined);
  if (!place || seen) return;
  place.unread = (place.unread ?? 0) + 1;
  drawSidebar(nav, go);
  if (message.is_ephemeral || mentionsMe(message))
    toast(`${authorOf(message)} in ${channelName(place)}: ${(message.text || "a message").slice(0, 120)}`);
}

// Messages that came while they were looked at count as read once they are asked for; a burst is asked for once.
function markRead(channel, thread) {
  clearTimeout(reading);
  reading = setTimeout(() => attempt(get(`messages/${channel}`, { user: state.me.id, thread })), READ_AFTER);
}

function mentionsMe(message) {
  return JSON.stringify([message.text, message.blocks]).includes(state.me.id);
}

function onSession(event) {
  if (thread && thread.channel === event.channel && thread.root === event.thread_ts) thread.status();
  if (state.place.id === event.channel) pane?.render();
}

async function onReload() {
  const body = await attempt(get("state", { user: state.me.id }));
  if (!body) return;
  for (const one of body.channels) if (!state.channels.has(one.id)) state.channels.set(one.id, one);
  drawSidebar(nav, go);
}

function keys(event) {
  if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "k") {
    event.preventDefault();
    toggleSwitcher(go);
  } else if (event.key === "Escape" && !document.querySelector("dialog[open]")) {
    if (state.thread) closeThread();
    else pane?.focus?.();
  } else if (
    !typing(event.target) &&
    !event.ctrlKey &&
    !event.metaKey &&
    !event.altKey &&
    !document.querySelector("dialog[open]")
  ) {
    if (event.key === "i") {
      event.preventDefault();
      toggleInspector();
    }
    if (event.key === "/" && pane?.focus) {
      event.preventDefault();
      pane.focus();
    }
  }
}

function begin() {
  watch("message", onMessage);
  watch("session", onSession);
  watch("home", () => state.place.kind === "home" && pane?.render());
  watch("prompts", (event) => state.place.id === event.channel && pane?.offer());
  watch("channels", () => {
    drawSidebar(nav, go);
    pane?.heading?.();
  });
  watch("connection", () => state.me && drawSidebar(nav, go));
  watch("toast", (event) => toast(event.text, "error"));
  watch("reload", onReload);
  document.addEventListener("keydown", keys);
  main.addEventListener("click", followMention);
  threadPanel.addEventListener("click", followMention);
  startModals();
}

function followMention(event) {
  const id = event.target.closest?.("[data-goto]")?.dataset.goto;
  if (id && state.channels.has(id)) openChannel(id);
}

try {
  begin();
  await become(new URL(location.href).searchParams.get("user") ?? DEFAULT_USER);
} catch (error) {
  if (!(error instanceof Refused)) throw error;
  fill(
    main,
    h("div", { class: "empty" }, h("h1", {}, "This page cannot show the workspace"), h("p", {}, error.message)),
  );
  app.removeAttribute("aria-busy");
}
