// Elements people press: buttons, overflow menus, feedback, icon buttons. Others are in selects.js and inputs.js.

import { h, icon, link } from "./dom.js";
import { confirmed } from "./dialog.js";
import { INPUTS } from "./inputs.js";
import { openMenu } from "./popover.js";
import { SELECTS } from "./selects.js";
import { state } from "./state.js";
import { plainText } from "./mrkdwn.js";
import { picture } from "./pictures.js";

/** Make one element of a block. `context` knows the surface, the values typed so far and how to act. */
export function element(context, blockId, one) {
  if (one.visible_to_user_ids && !one.visible_to_user_ids.includes(state.me?.id)) return "";
  return (ELEMENTS[one.type] ?? unknown)(context, blockId, one);
}

function unknown(context, blockId, one) {
  return h("span", { class: "quiet" }, `(${one.type})`);
}

/** Run an action with its confirmation; the button shows that it is being worked on. */
async function press(context, blockId, one, node, payload) {
  if (!(await confirmed(one.confirm))) return;
  node.setAttribute("aria-busy", "true");
  node.classList.add("busy");
  try {
    await context.act(blockId, one, payload);
  } finally {
    node.removeAttribute("aria-busy");
    node.classList.remove("busy");
  }
}

function button(context, blockId, one) {
  const props = {
    type: "button",
    class: ["button", one.style].filter(Boolean).join(" "),
    "aria-label": one.accessibility_label,
    "aria-haspopup": one.confirm ? "dialog" : undefined,
    data: { action: one.action_id ?? "" },
  };
  const node = h("button", props, plainText(one.text?.text ?? ""));
  node.addEventListener("click", () => {
    if (node.classList.contains("busy")) return;
    if (one.url) openLink(one.url);
    press(context, blockId, one, node, one.value === undefined ? {} : { value: one.value });
  });
  return node;
}

function openLink(address) {
  const anchor = link(address);
  if (anchor instanceof HTMLAnchorElement) anchor.click();
}

function overflow(context, blockId, one) {
  const node = h(
    "button",
    {
      type: "button",
      class: "button overflow",
      "aria-label": "More actions",
      "aria-haspopup": "menu",
      data: { action: one.action_id ?? "" },
    },
    icon("more"),
  );
  const choose = (option) => {
    if (option.url) openLink(option.url);
    press(context, blockId, one, node, { selected_option: option });
  };
  node.addEventListener("click", () => {
    const choices = one.options.map((option) => ({
      label: option.text.text,
      hint: option.description?.text,
      run: () => choose(option),
    }));
    openMenu(node, choices, "More actions");
  });
  return node;
}

function feedback(context, blockId, one) {
  const chosen = context.chosen(blockId, one.action_id);
  const make = (option, sign) => {
    const pressed = chosen === option.value;
    const label = option.accessibility_label || option.text.text;
    const node = h(
      "button",
      {
        type: "button",
        class: "icon-button feedback",
        "aria-label": label,
        title: option.text.text,
        "aria-pressed": String(pressed),
      },
      icon(sign),
    );
    node.addEventListener("click", () => {
      for (const other of node.parentElement.children) other.setAttribute("aria-pressed", String(other === node));
      context.choose(blockId, one.action_id, option.value);
      press(context, blockId, one, node, { value: option.value });
    });
    return node;
  };
  return h(
    "span",
    { class: "feedback-buttons", role: "group", "aria-label": "Feedback" },
    make(one.positive_button, "up"),
    make(one.negative_button, "thumbdown"),
  );
}

function iconButton(context, blockId, one) {
  const label = one.accessibility_label || one.text.text;
  const node = h(
    "button",
    { type: "button", class: "icon-button", "aria-label": label, title: one.text.text },
    icon(one.icon),
  );
  node.addEventListener("click", () =>
    press(context, blockId, one, node, one.value === undefined ? {} : { value: one.value }),
  );
  return node;
}

const ELEMENTS = {
  button,
  workflow_button: button,
  overflow,
  feedback_buttons: feedback,
  icon_button: iconButton,
  image: (context, blockId, one) => picture(one, "thumb"),
  ...SELECTS,
  ...INPUTS,
};
