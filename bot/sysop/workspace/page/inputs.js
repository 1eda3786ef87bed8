// Fields people type or tick in: text, number, address, date and time, boxes, files.

import { confirmed } from "./dialog.js";
import { h } from "./dom.js";
import { textOf } from "./text.js";
import { words } from "./rich_text.js";

function field(context, blockId, one, node, read) {
  node.dataset.action = one.action_id ?? "";
  if (one.focus_on_load) node.setAttribute("autofocus", "");
  const keep = () => context.keep(blockId, one, read(node));
  keep();
  node.addEventListener("input", keep);
  return node;
}

async function act(context, blockId, one, payload) {
  if (!context.dispatches(blockId, one)) return;
  if (await confirmed(one.confirm)) await context.act(blockId, one, payload);
}

function typedText(type) {
  return (context, blockId, one) => {
    const value = context.value(blockId, one.action_id)?.value ?? one.initial_value ?? "";
    const props = {
      class: "field",
      placeholder: one.placeholder?.text,
      minlength: one.min_length,
      maxlength: one.max_length,
      value,
    };
    const node = one.multiline
      ? h("textarea", { ...props, rows: 4 })
      : h("input", {
          ...props,
          type,
          min: one.min_value,
          max: one.max_value,
          step: one.is_decimal_allowed ? "any" : undefined,
        });
    const read = () => ({ value: node.value || null });
    const triggers = one.dispatch_action_config?.trigger_actions_on ?? ["on_enter_pressed"];
    node.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" || event.shiftKey || event.isComposing || !context.dispatches(blockId, one)) return;
      if (!triggers.includes("on_enter_pressed")) return;
      event.preventDefault();
      act(context, blockId, one, read());
    });
    if (triggers.includes("on_character_entered"))
      node.addEventListener("input", () => act(context, blockId, one, read()));
    return field(context, blockId, one, node, read);
  };
}

function richInput(context, blockId, one) {
  const before = context.value(blockId, one.action_id)?.rich_text_value ?? one.initial_value;
  const node = h("textarea", {
    class: "field",
    rows: one.min_lines ?? 4,
    placeholder: one.placeholder?.text,
    value: before ? words(before) : "",
  });
  const read = () => {
    if (!node.value) return { rich_text_value: null };
    const paragraphs = node.value
      .split("\n")
      .map((text) => ({ type: "rich_text_section", elements: text ? [{ type: "text", text }] : [] }));
    return { rich_text_value: { type: "rich_text", elements: paragraphs } };
  };
  return field(context, blockId, one, node, read);
}

const PICKED = { date: "Date", time: "Time", "datetime-local": "Date and time" };

function picker(type, preset, chosen, toValue = (text) => text, toText = (value) => value) {
  return (context, blockId, one) => {
    const before = context.value(blockId, one.action_id)?.[chosen] ?? one[preset];
    const node = h("input", {
      class: "field picker",
      type,
      "aria-label": one.placeholder?.text ?? PICKED[type],
      value: before ? toText(before) : "",
    });
    const read = () => ({ [chosen]: node.value ? toValue(node.value) : null });
    node.addEventListener("change", () => act(context, blockId, one, read()));
    return field(context, blockId, one, node, read);
  };
}

const seconds = (text) => Math.round(new Date(text).getTime() / 1000);
const local = (value) => {
  const date = new Date(value * 1000);
  return new Date(date.getTime() - date.getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
};

function ticks(type, many) {
  return (context, blockId, one) => {
    const key = many ? "selected_options" : "selected_option";
    const preset = many ? one.initial_options : one.initial_option;
    const before = [context.value(blockId, one.action_id)?.[key] ?? preset ?? []].flat().map((option) => option.value);
    const name = `${blockId} ${one.action_id} ${context.id}`;
    const rows = one.options.map((option) => ({
      option,
      box: h("input", { type, name, checked: before.includes(option.value), value: option.value }),
    }));
    const read = () => {
      const chosen = rows.filter((row) => row.box.checked).map((row) => row.option);
      return { [key]: many ? chosen : (chosen[0] ?? null) };
    };
    const row = ({ option, box }) =>
      h(
        "label",
        { class: "choice" },
        box,
        h("span", {}, textOf(option.text), option.description && h("small", {}, textOf(option.description))),
      );
    const node = h("div", { class: "ticks", role: many ? "group" : "radiogroup" }, rows.map(row));
    node.addEventListener("change", () => act(context, blockId, one, read()));
    return field(context, blockId, one, node, read);
  };
}

// A modal's files would have to be uploaded before it is submitted, which the stand-in does not do.
function files(context, blockId, one) {
  context.keep(blockId, one, { files: [] });
  const node = h("input", { class: "field", type: "file", disabled: true, data: { action: one.action_id ?? "" } });
  node.title = "Files cannot be chosen in the stand-in";
  return node;
}

export const INPUTS = {
  plain_text_input: typedText("text"),
  email_text_input: typedText("email"),
  url_text_input: typedText("url"),
  number_input: typedText("number"),
  rich_text_input: richInput,
  datepicker: picker("date", "initial_date", "selected_date"),
  timepicker: picker("time", "initial_time", "selected_time"),
  datetimepicker: picker("datetime-local", "initial_date_time", "selected_date_time", seconds, local),
  checkboxes: ticks("checkbox", true),
  radio_buttons: ticks("radio", false),
  file_input: files,
};
