// Ctrl+K: type a few letters of a place or a person.

import { avatar } from "./avatar.js";
import { closeDialog, openDialog } from "./dialog.js";
import { fill, h, icon } from "./dom.js";
import { badgesOf, channelName } from "./names.js";
import { state } from "./state.js";

let open = null;

/** Open the switcher, or close it when it is open. */
export function toggleSwitcher(go) {
  if (open) return open();
  const back = document.activeElement;
  const close = () => {
    open = null;
    closeDialog(dialog, back);
  };
  const field = h("input", {
    class: "field",
    type: "text",
    placeholder: "Where to?",
    "aria-label": "Jump to",
    role: "combobox",
    "aria-expanded": "true",
    "aria-controls": "switcher-list",
  });
  const list = h("ul", { id: "switcher-list", role: "listbox", "aria-label": "Places and people" });
  const dialog = openDialog("switcher", "Jump to", close, field, list);
  open = close;
  let at = 0;
  let found = [];
  const run = (one) => {
    close();
    one.run();
  };
  const draw = () => {
    const option = (one, index) =>
      h(
        "li",
        {
          id: `switcher-${index}`,
          role: "option",
          "aria-selected": String(index === at),
          on: { click: () => run(one) },
        },
        one.sign,
        h("span", {}, one.label),
        h("small", { class: "quiet" }, one.hint),
      );
    fill(list, found.length ? found.map(option) : h("li", { class: "quiet" }, "Nothing is called that."));
    field.setAttribute("aria-activedescendant", `switcher-${at}`);
    list.children[at]?.scrollIntoView({ block: "nearest" });
  };
  const search = () => {
    const wanted = field.value.trim().toLowerCase().replace(/^[#@]/, "");
    found = places(go).filter((one) => `${one.label} ${one.hint}`.toLowerCase().includes(wanted));
    at = 0;
    draw();
  };
  field.addEventListener("input", search);
  field.addEventListener("keydown", (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step && found.length) {
      event.preventDefault();
      at = (at + step + found.length) % found.length;
      draw();
    } else if (event.key === "Enter" && found[at]) {
      event.preventDefault();
      run(found[at]);
    }
  });
  dialog.addEventListener("click", (event) => {
    if (event.target === dialog) close();
  });
  search();
  field.focus();
  return undefined;
}

function places(go) {
  const channels = [...state.channels.values()].map((one) => ({
    label: one.kind === "dm" ? channelName(one) : `#${one.name}`,
    hint: one.kind === "dm" ? "direct message" : one.topic || "channel",
    sign: one.kind === "dm" ? avatar(state.app.user_id, "tiny") : icon("hash"),
    run: () => go.channel(one.id),
  }));
  const home = state.app.home_tab
    ? [{ label: `${state.app.name} Home`, hint: "app home", sign: icon("home"), run: go.home }]
    : [];
  const tools = [{ label: "Inspector", hint: "every call and envelope", sign: icon("list"), run: go.inspector }];
  const people = [...state.users.values()]
    .filter((one) => !one.is_bot && one.id !== state.me.id)
    .map((one) => ({
      label: `Become ${one.real_name}`,
      hint: badgesOf(one).join(", "),
      sign: avatar(one.id, "tiny"),
      run: () => go.user(one.name),
    }));
  return [...channels, ...home, ...people, ...tools];
}
