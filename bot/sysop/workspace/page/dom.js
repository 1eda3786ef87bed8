// Builds elements. Data only ever becomes text nodes or checked attributes, never markup.

const SVG = "http://www.w3.org/2000/svg";

/** Make an element: `class`, `on`, `data` and DOM properties or attributes, then children (text, nodes, lists). */
export function h(tag, props = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (value === undefined || value === null || value === false) continue;
    if (name === "class") element.className = value;
    else if (name === "on")
      for (const [event, listener] of Object.entries(value)) element.addEventListener(event, listener);
    else if (name === "data") Object.assign(element.dataset, value);
    else if (value === true) element.setAttribute(name, "");
    else if (name === "value" && "value" in element) element.value = value;
    else element.setAttribute(name, value);
  }
  append(element, children);
  return element;
}

/** Add children; strings become text nodes, empty values vanish. */
export function append(element, children) {
  for (const child of [children].flat(Infinity)) {
    if (child === undefined || child === null || child === false || child === "") continue;
    element.append(child instanceof Node ? child : document.createTextNode(String(child)));
  }
  return element;
}

/** Replace everything inside an element. */
export function fill(element, ...children) {
  element.replaceChildren();
  return append(element, children);
}

/** Make an SVG element. */
export function svg(tag, attributes = {}, ...children) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  return append(element, children);
}

const ICONS = {
  hash: "M9 4 7 20M17 4l-2 16M4.5 9h16M3.5 15h16",
  home: "M4 11 12 4l8 7v8a1 1 0 0 1-1 1h-4v-6H9v6H5a1 1 0 0 1-1-1z",
  back: "M15 5l-7 7 7 7",
  close: "M6 6l12 12M18 6 6 18",
  more: "M5 12h.01M12 12h.01M19 12h.01",
  bolt: "M13 3 5 14h6l-1 7 8-11h-6z",
  send: "M4 12 20 4l-5 16-3-7z",
  search: "M11 18a7 7 0 1 1 0-14 7 7 0 0 1 0 14zM16 16l5 5",
  reply: "M20 15a3 3 0 0 1-3 3H9l-5 3V7a3 3 0 0 1 3-3h10a3 3 0 0 1 3 3z",
  smile: "M12 21a9 9 0 1 1 0-18 9 9 0 0 1 0 18zM8.5 14.5a4.5 4.5 0 0 0 7 0M9 9.5h.01M15 9.5h.01",
  chevron: "M7 10l5 5 5-5",
  down: "M7 10l5 5 5-5",
  check: "M5 13l4 4L19 7",
  clip: "M20 11l-8.5 8.5a5 5 0 0 1-7-7L13 4a3.3 3.3 0 0 1 4.7 4.7L9.5 17a1.7 1.7 0 0 1-2.4-2.4L14 7.7",
  stop: "M7 7h10v10H7z",
  eye: "M2.5 12S6 5.5 12 5.5 21.5 12 21.5 12 18 18.5 12 18.5 2.5 12 2.5 12zM12 15a3 3 0 1 1 0-6 3 3 0 0 1 0 6z",
  trash: "M5 7h14M10 7V4h4v3M7 7l1 13h8l1-13",
  edit: "M4 20l1-4L16 5l3 3L8 19z",
  up: "M7 11v9H4v-9zM7 11l4-8c1.7 0 2.5 1.2 2.2 3L12.5 9H18a2 2 0 0 1 2 2.4l-1.3 7A2 2 0 0 1 16.7 20H7",
  thumbdown: "M7 13V4H4v9zM7 13l4 8c1.7 0 2.5-1.2 2.2-3l-.7-3H18a2 2 0 0 0 2-2.4l-1.3-7A2 2 0 0 0 16.7 4H7",
  list: "M4 6h16M4 12h16M4 18h10",
  file: "M6 3h8l5 5v12a1 1 0 0 1-1 1H6a1 1 0 0 1-1-1V4a1 1 0 0 1 1-1zM14 3v5h5",
  info: "M12 21a9 9 0 1 1 0-18 9 9 0 0 1 0 18zM12 11v5M12 8h.01",
  alert: "M12 4 2.5 20h19zM12 10v4M12 17h.01",
};

/** Make a line icon; it is decoration, its button carries the name. */
export function icon(name, className = "") {
  const picture = svg("svg", { viewBox: "0 0 24 24", class: `icon ${className}`, "aria-hidden": "true" });
  picture.append(svg("path", { d: ICONS[name] ?? ICONS.info }));
  return picture;
}

/** Make a button with an icon and a name for screen readers and the tooltip. */
export function iconButton(name, label, onClick, className = "") {
  return h(
    "button",
    { type: "button", class: `icon-button ${className}`, "aria-label": label, title: label, on: { click: onClick } },
    icon(name),
  );
}

const SAFE = new Set(["http:", "https:", "mailto:"]);

/** Make a link that leaves safely, or plain text when its address is not one to follow. */
export function link(address, ...children) {
  const words = children.flat(Infinity).some((child) => child) ? children : [address];
  let target;
  try {
    target = new URL(address);
  } catch {
    return h("span", {}, ...words);
  }
  if (!SAFE.has(target.protocol)) return h("span", {}, ...words);
  return h("a", { href: target.href, target: "_blank", rel: "noopener noreferrer", title: target.href }, ...words);
}

/** Tell whether somebody is typing in a field. */
export function typing(element) {
  return Boolean(element?.closest?.("input, textarea, select, [contenteditable]"));
}
