// The field people write in, with completion, shortcuts and files.

import { post } from "./api.js";
import { avatar } from "./avatar.js";
import { completions } from "./completion.js";
import { fill, h, icon, iconButton } from "./dom.js";
import { openMenu } from "./popover.js";
import { state } from "./state.js";
import { attempt, toast } from "./toasts.js";

const drafts = new Map();
const LARGEST = 1_000_000;
let count = 0;

/** Make a composer for a channel or a thread in it. `sent` is told the server's answer. */
export function composer(channel, threadTs, label, sent = () => {}) {
  const key = `${channel} ${threadTs ?? ""}`;
  const listId = `completion-${(count += 1)}`;
  const field = h("textarea", {
    class: "composer-field",
    rows: 1,
    placeholder: label,
    "aria-label": label,
    dir: "auto",
    role: "combobox",
    "aria-autocomplete": "list",
    "aria-controls": listId,
    "aria-expanded": "false",
  });
  const list = h("ul", { class: "completion", id: listId, role: "listbox", "aria-label": "Suggestions", hidden: true });
  const chosen = h("div", { class: "chosen-files" });
  const send = iconButton("send", "Send", () => submit(), "send");
  const pick = h("input", { type: "file", multiple: true, hidden: true });
  let offered = null;
  let at = 0;
  let moved = false;
  let files = [];

  const grow = () => {
    field.style.height = "auto";
    field.style.height = `${Math.min(field.scrollHeight, 220)}px`;
    send.disabled = !field.value.trim() && !files.length;
  };
  const show = () => {
    offered = document.activeElement === field ? completions(field.value, field.selectionStart) : null;
    at = 0;
    moved = false;
    draw();
  };
  const draw = () => {
    list.hidden = !offered;
    field.setAttribute("aria-expanded", String(Boolean(offered)));
    fill(
      list,
      (offered?.choices ?? []).map((choice, index) => row(choice, index)),
    );
    if (offered) field.setAttribute("aria-activedescendant", `${listId}-${at}`);
    else field.removeAttribute("aria-activedescendant");
  };
  const row = (choice, index) =>
    h(
      "li",
      {
        id: `${listId}-${index}`,
        role: "option",
        "aria-selected": String(index === at),
        on: {
          pointerdown: (event) => {
            event.preventDefault();
            take(choice);
          },
        },
      },
      choice.user ? avatar(choice.user, "tiny") : "",
      h("strong", {}, choice.label),
      h("span", { class: "quiet" }, choice.hint),
      choice.note && choice.note !== choice.hint && h("small", { class: "quiet" }, choice.note),
    );
  const take = (choice) => {
    const rest = field.value.slice(field.selectionStart);
    field.value = field.value.slice(0, offered.from) + choice.insert + rest.replace(/^\s/, "");
    field.selectionStart = field.selectionEnd = offered.from + choice.insert.length;
    drafts.set(key, field.value);
    grow();
    show();
  };
  const submit = async () => {
    const text = field.value.trim();
    if (!text && !files.length) return;
    const payload = { user: state.me.id, channel, text, thread_ts: threadTs, files: files.length ? files : undefined };
    const before = { text: field.value, files };
    clear();
    const answer = await attempt(isCommand(text) ? command(text, channel, threadTs) : post("message", payload));
    if (answer) sent(answer);
    else if (!field.value) restore(before);
  };
  const clear = () => {
    field.value = "";
    files = [];
    drafts.delete(key);
    settle();
  };
  const restore = (before) => {
    field.value = before.text;
    files = before.files;
    settle();
  };
  const settle = () => {
    fill(
      chosen,
      files.map((file) => h("span", { class: "chip" }, icon("clip"), file.name)),
    );
    offered = null;
    draw();
    grow();
  };

  field.addEventListener("input", () => {
    drafts.set(key, field.value);
    grow();
    show();
  });
  field.addEventListener("blur", () => {
    offered = null;
    draw();
  });
  field.addEventListener("keydown", (event) => {
    if (event.isComposing) return;
    if (offered && steer(event)) return;
    if (event.key === "Enter" && !event.shiftKey) {
      event.preventDefault();
      submit();
    } else if (event.key === "ArrowUp" && !field.value) {
      const last = [...(field.closest(".pane")?.querySelectorAll(".message") ?? [])].pop();
      if (last) {
        event.preventDefault();
        last.focus();
      }
    }
  });
  const steer = (event) => {
    const moves = { ArrowDown: 1, ArrowUp: -1 };
    if (event.key in moves) {
      at = (at + moves[event.key] + offered.choices.length) % offered.choices.length;
      moved = true;
    } else if (event.key === "Tab" || (event.key === "Enter" && wantsChoice())) take(offered.choices[at]);
    else if (event.key === "Escape") {
      event.stopPropagation();
      offered = null;
    } else return false;
    event.preventDefault();
    draw();
    return true;
  };
  // Enter takes a suggestion unless the word is written out, or none was begun: then it sends.
  const wantsChoice = () => {
    const word = field.value.slice(offered.from, field.selectionStart);
    return moved || (word !== "" && word !== offered.choices[at].insert.trim());
  };
  pick.addEventListener("change", async () => {
    files = (await Promise.all([...pick.files].map(read))).filter(Boolean);
    pick.value = "";
    settle();
  });

  field.value = drafts.get(key) ?? "";
  queueMicrotask(grow);
  const buttons = h(
    "div",
    { class: "composer-bar" },
    shortcuts(channel),
    iconButton("clip", "Attach a file", () => pick.click()),
    pick,
    h("span", { class: "keys quiet" }, "Enter sends, Shift+Enter is a new line"),
    send,
  );
  return {
    node: h(
      "form",
      { class: "composer", on: { submit: (event) => event.preventDefault() } },
      list,
      chosen,
      field,
      buttons,
    ),
    field,
  };
}

function isCommand(text) {
  return /^\/[\w-]+(\s|$)/.test(text);
}

async function command(text, channel, threadTs) {
  if (!threadTs) return post("command", { user: state.me.id, channel, text });
  toast("Commands of an app do not run inside threads, in Slack neither.", "error");
  return null;
}

async function read(file) {
  if (file.size > LARGEST) {
    toast(`${file.name} is larger than 1 MB.`, "error");
    return null;
  }
  const bytes = new Uint8Array(await file.arrayBuffer());
  let text = "";
  for (let from = 0; from < bytes.length; from += 8192)
    text += String.fromCharCode(...bytes.subarray(from, from + 8192));
  return { name: file.name, base64: btoa(text) };
}

function shortcuts(channel) {
  const global = state.app.shortcuts.filter((one) => one.type === "global");
  if (!global.length) return "";
  const button = iconButton("bolt", "Shortcuts", () => {
    const run = (one) => attempt(post("shortcut", { user: state.me.id, callback_id: one.callback_id, channel }));
    openMenu(
      button,
      global.map((one) => ({ label: one.name, hint: state.app.name, icon: icon("bolt"), run: () => run(one) })),
      "Shortcuts",
    );
  });
  button.setAttribute("aria-haspopup", "menu");
  return button;
}
