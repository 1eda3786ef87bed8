// Blocks by their type. Each maker gets the context (surface, values, how to act) and the block.

import { card, carousel, container, video } from "./cards.js";
import { chart } from "./charts.js";
import { h, icon } from "./dom.js";
import { element } from "./elements.js";
import { markdown } from "./markdown.js";
import { plainText } from "./mrkdwn.js";
import { picture } from "./pictures.js";
import { richText } from "./rich_text.js";
import { dataTable, table } from "./tables.js";
import { plan, taskCard } from "./tasks.js";
import { textOf } from "./text.js";

/** Make the nodes of a list of blocks. */
export function blocks(context, list) {
  return (list ?? []).map((one) => block(context, one));
}

function block(context, one) {
  const make = BLOCKS[one.type];
  if (!make) return h("p", { class: "quiet" }, `This block is not shown here: ${one.type}`);
  const node = make(context, one);
  if (one.block_id) node.dataset.block = one.block_id;
  return node;
}

function section(context, one) {
  const text = one.text && h("div", { class: "section-text" }, textOf(one.text));
  const fields =
    one.fields &&
    h(
      "div",
      { class: "fields" },
      one.fields.map((field) => h("div", { class: "field-text" }, textOf(field))),
    );
  const side = one.accessory && h("div", { class: "accessory" }, element(context, one.block_id, one.accessory));
  return h(
    "div",
    { class: side ? "block section with-accessory" : "block section" },
    h("div", { class: "section-body" }, text, fields),
    side,
  );
}

function context_(context, one) {
  const part = (each) => (each.type === "image" ? picture(each, "tiny") : h("span", {}, textOf(each)));
  return h("div", { class: "block context" }, one.elements.map(part));
}

function input(context, one) {
  const control = element(context, one.block_id, one.element);
  const optional = one.optional && h("span", { class: "quiet" }, " (optional)");
  const hint = one.hint && h("span", { class: "hint" }, plainText(one.hint.text));
  const wrong = h("span", { class: "field-error", role: "alert", data: { errorFor: one.block_id ?? "" } });
  const many = ["checkboxes", "radio_buttons"].includes(one.element.type);
  const label = h("span", { class: "label" }, plainText(one.label.text), optional);
  if (many || control instanceof HTMLButtonElement) {
    control.setAttribute("aria-label", one.label.text);
    return h("div", { class: "block input" }, label, control, hint, wrong);
  }
  control.removeAttribute("aria-label"); // the block's own label is its name
  return h("label", { class: "block input" }, label, control, hint, wrong);
}

function image(context, one) {
  const title = one.title && h("figcaption", {}, plainText(one.title.text));
  return h("figure", { class: "block figure" }, title, picture(one, "large"));
}

const ALERT_SIGNS = { success: "check", error: "alert", warning: "alert" };

function alert(context, one) {
  const level = one.level ?? "default";
  return h(
    "div",
    { class: `block alert alert-${level}`, role: "note" },
    icon(ALERT_SIGNS[level] ?? "info"),
    h("span", {}, textOf(one.text)),
  );
}

function actions(context, one) {
  return h(
    "div",
    { class: `block ${one.type.replace("_", "-")}` },
    one.elements.map((each) => element(context, one.block_id, each)),
  );
}

const BLOCKS = {
  section,
  actions,
  context_actions: actions,
  context: context_,
  input,
  image,
  alert,
  header: (context, one) => h("h3", { class: "block header" }, plainText(one.text.text)),
  divider: () => h("hr", { class: "block" }),
  rich_text: (context, one) => withClass(richText(one), "block"),
  markdown: (context, one) => h("div", { class: "block markdown" }, markdown(one.text)),
  table: (context, one) => table(one),
  data_table: (context, one) => dataTable(one),
  data_visualization: (context, one) => chart(one),
  plan: (context, one) => plan(one),
  task_card: (context, one) => taskCard(one),
  card: (context, one) => card(context, one, element),
  carousel: (context, one) => carousel(context, one, element),
  container: (context, one) => container(context, one, blocks),
  video: (context, one) => video(one),
};

function withClass(node, name) {
  node.classList.add(name);
  return node;
}
