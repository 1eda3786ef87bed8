// Small menus that hang on a button: arrows move, Escape and a click elsewhere close.

import { fill, h } from "./dom.js";

const root = document.getElementById("popovers");
let open = null;

/** Close whatever menu is open. */
export function closeMenu() {
  if (!open) return;
  const { node, anchor } = open;
  open = null;
  anchor.setAttribute("aria-expanded", "false");
  const inside = node.contains(document.activeElement);
  node.remove();
  if (inside && anchor.isConnected) anchor.focus();
}

/** Hang something on a button; a second click closes it. */
export function hang(anchor, node, className = "") {
  const again = open?.anchor === anchor;
  closeMenu();
  if (again) return null;
  const menu = h("div", { class: `popover ${className}`, tabindex: "-1" }, node);
  (anchor.closest("dialog") ?? root).append(menu);
  place(anchor, menu);
  anchor.setAttribute("aria-expanded", "true");
  open = { node: menu, anchor };
  menu.addEventListener("keydown", steer);
  (menu.querySelector("[autofocus], [role=menuitem], button, input") ?? menu).focus();
  return menu;
}

/** Open a menu of choices: `{ label, hint, icon, danger, run }`. */
export function openMenu(anchor, choices, label) {
  const items = choices.map((choice) => {
    const run = () => {
      closeMenu();
      choice.run();
    };
    const props = {
      type: "button",
      role: "menuitem",
      tabindex: "-1",
      class: choice.danger ? "menu-item danger" : "menu-item",
      on: { click: run },
    };
    return h("button", props, choice.icon, h("span", {}, choice.label, choice.hint && h("small", {}, choice.hint)));
  });
  return hang(
    anchor,
    h("div", { role: "menu", "aria-label": label }, items.length ? items : h("p", { class: "quiet" }, "Nothing here.")),
    "menu",
  );
}

function place(anchor, menu) {
  const edge = 8;
  const box = anchor.getBoundingClientRect();
  const { offsetWidth: width, offsetHeight: height } = menu;
  const left = Math.max(edge, Math.min(box.left, innerWidth - width - edge));
  const below = box.bottom + 4;
  const top = below + height + edge > innerHeight ? Math.max(edge, box.top - height - 4) : below;
  menu.style.left = `${left}px`;
  menu.style.top = `${top}px`;
}

function steer(event) {
  if (event.key === "Escape") {
    event.preventDefault();
    event.stopPropagation();
    closeMenu();
    return;
  }
  if (event.key !== "ArrowDown" && event.key !== "ArrowUp") return;
  const items = [...event.currentTarget.querySelectorAll("[role=menuitem]")];
  if (!items.length) return;
  event.preventDefault();
  const step = event.key === "ArrowDown" ? 1 : -1;
  const at = items.indexOf(document.activeElement);
  items[(at + step + items.length) % items.length].focus();
}

document.addEventListener("pointerdown", (event) => {
  if (open && !open.node.contains(event.target) && !open.anchor.contains(event.target)) closeMenu();
});
addEventListener("resize", closeMenu);

/** Replace what an open menu shows. */
export function refill(menu, ...children) {
  fill(menu, ...children);
}
