// Modals: a stack of views, the top one shown; errors stand at their fields.

import { post } from "./api.js";
import { blocks } from "./blocks.js";
import { forget, viewContext } from "./contexts.js";
import { closeDialog, openDialog } from "./dialog.js";
import { fill, h, iconButton } from "./dom.js";
import { state, watch } from "./state.js";
import { attempt } from "./toasts.js";
import { Refused } from "./api.js";

let shown = null;

/** Begin to show whatever views are open. */
export function startModals() {
  watch("views", render);
  render();
}

function render() {
  const top = state.views.at(-1);
  if (!top) return shut();
  if (shown?.view.id !== top.id) {
    const back = shown?.back ?? document.activeElement;
    shut(false);
    shown = open(top, back);
  } else if (shown.view !== top) {
    shown.view = top;
    draw(shown);
  }
  return undefined;
}

function shut(giveBack = true) {
  if (!shown) return;
  const gone = shown;
  shown = null;
  if (!state.views.some((one) => one.id === gone.view.id)) forget(gone.view.id);
  closeDialog(gone.dialog, giveBack ? gone.back : null);
}

function open(view, back) {
  const form = h("form", { novalidate: true });
  const dialog = openDialog("modal", view.title?.text ?? "", () => cancel(), form);
  const one = { view, back, form, dialog, context: viewContext(view) };
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    submit(one);
  });
  draw(one);
  const first =
    form.querySelector("[autofocus]") ??
    form.querySelector(".dialog-body :is(input, textarea, select, button)") ??
    form.querySelector("footer .primary");
  first?.focus();
  return one;
}

function draw(one) {
  const { view, form } = one;
  one.context = viewContext(view);
  const held = document.activeElement?.dataset?.action;
  const depth = state.views.length;
  const left = depth > 1 ? iconButton("back", "Back", cancel) : "";
  const steps = depth > 1 && h("span", { class: "quiet" }, `${depth} of 3`);
  const title = h("h2", {}, view.title?.text ?? "", steps);
  const buttons = [
    h(
      "button",
      { type: "button", class: "button", on: { click: cancel } },
      view.close?.text ?? (view.submit ? "Cancel" : "Close"),
    ),
  ];
  if (view.submit) buttons.push(h("button", { class: "button primary" }, view.submit.text));
  fill(
    form,
    h("header", {}, left, title, iconButton("close", "Close", cancel)),
    h(
      "div",
      { class: "dialog-body content" },
      blocks(one.context, view.blocks),
      h("p", { class: "form-error", role: "alert" }),
    ),
    h("footer", {}, h("span", { class: "quiet by" }, state.app.name), buttons),
  );
  if (held) form.querySelector(`[data-action="${CSS.escape(held)}"]`)?.focus();
}

async function submit(one) {
  const button = one.form.querySelector("footer .primary");
  if (!button || button.classList.contains("busy")) return;
  explain(one, {});
  button.classList.add("busy");
  try {
    await post("view_submit", { user: state.me.id, view_id: one.view.id, state: one.context.values });
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    explain(one, error.body.errors ?? {}, error.body.errors ? "" : error.message);
  } finally {
    button.classList.remove("busy");
  }
}

// Errors are said at their block; whatever has no place is said at the end.
function explain(one, errors, whole = "") {
  let first = null;
  for (const place of one.form.querySelectorAll("[data-error-for]")) {
    const words = errors[place.dataset.errorFor] ?? "";
    place.textContent = words;
    const block = place.closest(".input");
    block.classList.toggle("wrong", Boolean(words));
    const field = block.querySelector("input, textarea, select, button");
    if (words) field?.setAttribute("aria-invalid", "true");
    else field?.removeAttribute("aria-invalid");
    if (words && !first) first = field;
  }
  one.form.querySelector(".form-error").textContent = whole;
  first?.focus();
}

function cancel() {
  const top = state.views.at(-1);
  if (top) attempt(post("view_close", { user: state.me.id, view_id: top.id }));
}
