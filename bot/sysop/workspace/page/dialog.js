// Dialogs: the browser keeps the focus inside and closes them on Escape.

import { h, iconButton } from "./dom.js";
import { textOf } from "./text.js";

/** Open a dialog and return it; `onCancel` is asked when somebody closes it by Escape. */
export function openDialog(className, label, onCancel, ...children) {
  const dialog = h("dialog", { class: `dialog ${className}`, "aria-label": label }, ...children);
  dialog.addEventListener("cancel", (event) => {
    event.preventDefault();
    onCancel();
  });
  document.body.append(dialog);
  dialog.showModal();
  return dialog;
}

/** Close a dialog and give the focus back. */
export function closeDialog(dialog, back) {
  dialog.close();
  dialog.remove();
  if (back?.isConnected) back.focus();
}

/** Ask what a confirm object asks; resolves to whether the answer was yes. */
export function confirmed(confirm) {
  if (!confirm) return Promise.resolve(true);
  return new Promise((resolve) => {
    const back = document.activeElement;
    const end = (answer) => {
      closeDialog(dialog, back);
      resolve(answer);
    };
    const style = confirm.style === "danger" ? "danger" : "primary";
    const deny = h(
      "button",
      { type: "button", class: "button", on: { click: () => end(false) } },
      confirm.deny?.text ?? "Cancel",
    );
    const yes = h(
      "button",
      { type: "button", class: `button ${style}`, on: { click: () => end(true) } },
      confirm.confirm?.text ?? "Yes",
    );
    const dialog = openDialog(
      "small confirm",
      confirm.title?.text ?? "Are you sure?",
      () => end(false),
      h(
        "header",
        {},
        h("h2", {}, confirm.title?.text ?? "Are you sure?"),
        iconButton("close", "Close", () => end(false)),
      ),
      h("div", { class: "dialog-body" }, h("p", {}, textOf(confirm.text))),
      h("footer", {}, deny, yes),
    );
    yes.focus();
  });
}

/** Ask for one line of text; resolves to it, or to null. */
export function asked(title, label, value = "") {
  return new Promise((resolve) => {
    const back = document.activeElement;
    const end = (answer) => {
      closeDialog(dialog, back);
      resolve(answer);
    };
    const field = h("input", { class: "field", value, maxlength: 200, required: true });
    const form = h(
      "form",
      {
        on: {
          submit: (event) => {
            event.preventDefault();
            end(field.value.trim() || null);
          },
        },
      },
      h(
        "header",
        {},
        h("h2", {}, title),
        iconButton("close", "Close", () => end(null)),
      ),
      h("div", { class: "dialog-body" }, h("label", { class: "input" }, h("span", { class: "label" }, label), field)),
      h(
        "footer",
        {},
        h("button", { type: "button", class: "button", on: { click: () => end(null) } }, "Cancel"),
        h("button", { class: "button primary" }, "Save"),
      ),
    );
    const dialog = openDialog("small", title, () => end(null), form);
    field.select();
  });
}
