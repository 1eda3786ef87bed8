// One message: who, when, what; its reactions, its thread, and what can be done with it.

import { post } from "./api.js";
import { authorAvatar } from "./avatar.js";
import { blocks } from "./blocks.js";
import { messageContext } from "./contexts.js";
import { asked, confirmed } from "./dialog.js";
import { h, icon, iconButton } from "./dom.js";
import { emoji, QUICK } from "./emoji.js";
import { fileList } from "./files.js";
import { mrkdwn, typedAgain } from "./mrkdwn.js";
import { authorOf, dateOf, nameOf, timeOf } from "./names.js";
import { closeMenu, hang, openMenu } from "./popover.js";
import { sessionChip } from "./sessions.js";
import { repliesOf, sessionOf, state } from "./state.js";
import { attempt, toast } from "./toasts.js";

/** Make a message. `compact` leaves out who; `inThread` leaves out the way to the thread. */
export function messageNode(message, { compact = false, inThread = false, openThread = () => {} } = {}) {
  const ephemeral = message.is_ephemeral;
  const classes = [
    "message",
    compact && "compact",
    ephemeral && "ephemeral",
    streaming(message) && "streaming",
    message.subtype === "tombstone" && "tombstone",
  ];
  const node = h("article", {
    class: classes.filter(Boolean).join(" "),
    tabindex: "-1",
    data: { ts: message.ts, author: message.user ?? "" },
    "aria-label": `${authorOf(message)} at ${timeOf(message.ts)}${ephemeral ? ", only visible to you" : ""}`,
  });
  const when = h(
    "time",
    { class: "when", datetime: dateOf(message.ts).toISOString(), title: dateOf(message.ts).toLocaleString() },
    timeOf(message.ts),
  );
  const gutter = h("div", { class: "gutter" }, compact ? when : authorAvatar(message));
  const head =
    !compact &&
    h(
      "header",
      {},
      h("span", { class: "author" }, authorOf(message)),
      message.bot_id && h("span", { class: "badge badge-app" }, "app"),
      when,
      message.pinned && h("span", { class: "quiet" }, "pinned"),
    );
  const mark =
    ephemeral &&
    h(
      "p",
      { class: "only-you" },
      icon("eye"),
      "Only visible to you",
      h("button", { type: "button", class: "link", on: { click: () => dismiss(message) } }, "Dismiss"),
    );
  const body = h(
    "div",
    { class: "message-body" },
    mark,
    head,
    content(message),
    extras(message),
    reactions(message),
    !inThread && threadRow(message, openThread),
  );
  node.append(gutter, body);
  if (message.subtype !== "tombstone") node.append(toolbar(message, node, inThread, openThread));
  return node;
}

function dismiss(message) {
  return attempt(post("dismiss", { user: state.me.id, channel: message.channel, message_ts: message.ts }));
}

function streaming(message) {
  return message.streaming_state === "in_progress" || message.stream?.state === "in_progress";
}

function content(message) {
  const nodes = ownBlocks(message)
    ? blocks(messageContext(message), message.blocks)
    : [h("div", { class: "text" }, mrkdwn(message.text ?? ""))];
  const edited = message.edited && !message.from_app && h("span", { class: "quiet" }, " (edited)");
  const stopped = message.stream?.ended === "stopped_by_user" && h("p", { class: "quiet" }, "Stopped.");
  const caret = streaming(message) && h("span", { class: "caret", role: "img", "aria-label": "still writing" });
  return h("div", { class: "content", dir: "auto" }, nodes, edited, caret, stopped);
}

// What people type is read as mrkdwn; only an app's blocks are shown as blocks.
function ownBlocks(message) {
  return message.blocks?.length > 0 && message.from_app;
}

function extras(message) {
  const files = message.files?.length ? fileList(message.files) : "";
  return [files, ...(message.attachments ?? []).map((one) => attachment(message, one))];
}

function attachment(message, one) {
  const fields = (one.fields ?? []).map((field) =>
    h("div", { class: "field-text" }, h("strong", {}, field.title), h("br"), mrkdwn(field.value ?? "")),
  );
  const text = one.text ?? (one.blocks ? "" : (one.fallback ?? ""));
  return h(
    "div",
    { class: "attachment" },
    one.pretext && h("p", {}, mrkdwn(one.pretext)),
    one.title && h("strong", {}, one.title),
    text && h("div", { class: "text" }, mrkdwn(text)),
    fields.length > 0 && h("div", { class: "fields" }, fields),
    one.blocks && blocks(messageContext(message), one.blocks),
  );
}

function reactions(message) {
  if (!message.reactions?.length) return "";
  const chip = (one) => {
    const mine = one.users.includes(state.me.id);
    const who = one.users.map(nameOf).join(", ");
    return h(
      "button",
      {
        type: "button",
        class: "reaction",
        "aria-pressed": String(mine),
        title: `${who} reacted with :${one.name}:`,
        on: { click: () => react(message, one.name, mine) },
      },
      emoji(one.name),
      h("span", {}, String(one.count)),
    );
  };
  return h("div", { class: "reactions" }, message.reactions.map(chip));
}

function react(message, name, remove) {
  closeMenu();
  return attempt(
    post("reaction", { user: state.me.id, channel: message.channel, message_ts: message.ts, name, remove }),
  );
}

function threadRow(message, openThread) {
  const session = sessionOf(message.channel, message.ts);
  const count = message.reply_count ?? repliesOf(message.channel, message.ts).length;
  if (!count && !["processing", "suspended"].includes(session?.status)) return "";
  const last = message.latest_reply ? `last at ${timeOf(message.latest_reply)}` : "";
  const words = count
    ? [h("strong", {}, count === 1 ? "1 reply" : `${count} replies`), h("span", { class: "quiet" }, last)]
    : h("strong", {}, "Open thread");
  return h(
    "div",
    { class: "thread-row" },
    h(
      "button",
      { type: "button", class: "open-thread", on: { click: () => openThread(message) } },
      icon("reply"),
      words,
    ),
    sessionChip(session),
  );
}

function toolbar(message, node, inThread, openThread) {
  const pick = iconButton("smile", "Add a reaction", () => hang(pick, quick(message), "quick"));
  const reply = !inThread && !message.is_ephemeral && iconButton("reply", "Reply in thread", () => openThread(message));
  const react = () => hang(more, quick(message), "quick");
  const more = iconButton("more", "More actions", () =>
    openMenu(more, choices(message, reply && (() => openThread(message)), react), "Message actions"),
  );
  more.setAttribute("aria-haspopup", "menu");
  return h(
    "div",
    { class: "toolbar", role: "toolbar", "aria-label": "Message" },
    !message.is_ephemeral && pick,
    reply,
    more,
  );
}

function quick(message) {
  return h(
    "div",
    { class: "quick-emoji", role: "group", "aria-label": "Reactions" },
    QUICK.map((name) =>
      h(
        "button",
        { type: "button", "aria-label": name, title: `:${name}:`, on: { click: () => react(message, name, false) } },
        emoji(name),
      ),
    ),
  );
}

function choices(message, reply, react) {
  const user = state.me.id;
  const place = { user, channel: message.channel };
  const shortcuts = message.is_ephemeral ? [] : state.app.shortcuts.filter((one) => one.type === "message");
  const list = shortcuts.map((one) => ({
    label: one.name,
    hint: state.app.name,
    icon: icon("bolt"),
    run: () => attempt(post("shortcut", { ...place, callback_id: one.callback_id, message_ts: message.ts })),
  }));
  if (reply) list.push({ label: "Reply in thread", icon: icon("reply"), run: reply });
  if (!message.is_ephemeral) list.push({ label: "Add a reaction", icon: icon("smile"), run: react });
  list.push({ label: "Copy text", icon: icon("file"), run: () => copy(message.text ?? "") });
  if (message.user === user && !message.is_ephemeral) {
    list.push({ label: "Edit message", icon: icon("edit"), run: () => edit(message, place) });
    list.push({ label: "Delete message", icon: icon("trash"), danger: true, run: () => remove(message, place) });
  }
  return list;
}

async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    toast("Copied.", "good");
  } catch {
    toast("The browser does not let this page copy.", "error");
  }
}

async function edit(message, place) {
  const text = await asked("Edit message", "Text", typedAgain(message.text));
  if (text) attempt(post("edit", { ...place, ts: message.ts, text }));
}

async function remove(message, place) {
  const question = {
    title: { text: "Delete message" },
    text: { type: "plain_text", text: "It cannot be taken back." },
    confirm: { text: "Delete" },
    deny: { text: "Keep" },
    style: "danger",
  };
  if (await confirmed(question)) attempt(post("delete", { ...place, ts: message.ts }));
}
