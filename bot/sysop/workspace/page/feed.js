// A list of messages that follows the state: only what changed is made anew, the reader's place is kept.

import { h } from "./dom.js";
import { messageNode } from "./message.js";
import { dayOf } from "./names.js";
import { sessionOf } from "./state.js";

const NEAR = 80;
const CLOSE_IN_TIME = 300;
const PAGE = 200;

/** Make a list. `messages()` returns what it shows; `options` go to each message. */
export function feed(label, messages, options) {
  const node = h("div", { class: "feed", role: "log", "aria-label": label, "aria-live": "polite", tabindex: "0" });
  const made = new Map();
  let most = PAGE;
  let stuck = true;
  const earlier = h(
    "button",
    { type: "button", class: "link earlier", on: { click: () => more() } },
    "Show earlier messages",
  );

  const render = () => {
    const all = messages();
    const list = all.slice(-most);
    const wanted = list.flatMap((message, index) => pieces(message, list[index - 1]));
    if (all.length > list.length) wanted.unshift(earlier);
    const keep = new Set(wanted);
    for (const child of [...node.children]) if (!keep.has(child)) child.remove();
    wanted.forEach((child, index) => {
      if (node.children[index] !== child) node.insertBefore(child, node.children[index] ?? null);
    });
    const shown = new Set(list.map((one) => one.ts));
    for (const ts of made.keys()) if (!shown.has(ts.slice(1))) made.delete(ts);
    follow();
  };

  const bottom = () => {
    node.scrollTop = node.scrollHeight;
  };

  // Pictures and previews come late; whoever is at the end stays there.
  const follow = () => {
    if (stuck) bottom();
  };

  const more = () => {
    const below = node.scrollHeight - node.scrollTop;
    most += PAGE;
    render();
    node.scrollTop = node.scrollHeight - below;
  };

  const pieces = (message, before) => {
    const newDay = !before || dayOf(before.ts) !== dayOf(message.ts);
    const divider =
      newDay &&
      remembered(`d${message.ts}`, dayOf(message.ts), () =>
        h("div", { class: "day", role: "separator" }, h("span", {}, dayOf(message.ts))),
      );
    const compact = !newDay && follows(before, message);
    const session = options.inThread ? undefined : sessionOf(message.channel, message.ts);
    const one = remembered(`m${message.ts}`, [message, compact, session, message.reactions], () =>
      messageNode(message, { ...options, compact }),
    );
    return divider ? [divider, one] : [one];
  };

  const remembered = (key, facts, make) => {
    const known = made.get(key);
    if (known && same(known.facts, facts)) return known.child;
    const child = make();
    if (known?.child.contains(document.activeElement)) {
      const back = sameElement(child, document.activeElement) ?? child;
      queueMicrotask(() => back.focus({ preventScroll: true }));
    }
    made.set(key, { facts, child });
    return child;
  };

  node.addEventListener("scroll", () => {
    stuck = node.scrollHeight - node.scrollTop - node.clientHeight < NEAR;
  });
  node.addEventListener("load", follow, true);
  node.addEventListener("grown", follow);
  node.addEventListener("keydown", (event) => walk(event, node));
  return { node, render, bottom };
}

// A message that changed keeps the focus on the element it was on, if that is still there.
function sameElement(child, element) {
  const action = element.dataset.action;
  return action ? child.querySelector(`[data-action="${CSS.escape(action)}"]`) : null;
}

function same(one, other) {
  if (!Array.isArray(one)) return one === other;
  return one.every((part, index) => part === other[index]);
}

// Only plain messages are drawn together; a card stands on its own.
function rich(message) {
  return (message.blocks ?? []).some((one) => one.type !== "rich_text");
}

function follows(before, message) {
  if (rich(before) || rich(message)) return false;
  if (before.is_ephemeral || message.is_ephemeral || before.subtype === "tombstone" || message.subtype === "tombstone")
    return false;
  return (
    before.user === message.user &&
    before.username === message.username &&
    message.ts - before.ts < CLOSE_IN_TIME &&
    !before.reply_count
  );
}

function walk(event, node) {
  const here = document.activeElement?.closest(".message");
  if (event.target !== node && event.target !== here) return;
  const all = [...node.querySelectorAll(".message")];
  if (!all.length) return;
  const at = all.indexOf(here);
  const goto = {
    ArrowUp: at < 0 ? all.length - 1 : Math.max(0, at - 1),
    ArrowDown: at < 0 ? all.length - 1 : Math.min(all.length - 1, at + 1),
    Home: 0,
    End: all.length - 1,
  }[event.key];
  if (goto !== undefined) {
    event.preventDefault();
    all[goto].focus();
  } else if (here && (event.key === "t" || event.key === "Enter")) {
    event.preventDefault();
    here.querySelector("[aria-label='Reply in thread']")?.click();
  }
}
