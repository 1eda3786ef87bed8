// Menus to choose from. Single ones are the browser's own; ones for several values open a list of boxes.

import { confirmed } from "./dialog.js";
import { fill, h } from "./dom.js";
import { channelName } from "./names.js";
import { hang } from "./popover.js";
import { state } from "./state.js";

const people = () => [...state.users.values()].map((one) => ({ value: one.id, label: one.real_name || one.name }));
const rooms = (kinds) =>
  [...state.channels.values()]
    .filter((one) => kinds.includes(one.kind))
    .map((one) => ({ value: one.id, label: (one.kind === "dm" ? "" : "#") + channelName(one) }));

// How each source names its single and its several values, and where its choices come from.
const SOURCES = {
  users: { one: "selected_user", many: "selected_users", preset: "initial_user", choices: people },
  channels: {
    one: "selected_channel",
    many: "selected_channels",
    preset: "initial_channel",
    choices: () => rooms(["channel"]),
  },
  conversations: {
    one: "selected_conversation",
    many: "selected_conversations",
    preset: "initial_conversation",
    choices: () => rooms(["channel", "private", "dm"]),
  },
  static: { one: "selected_option", many: "selected_options", preset: "initial_option", option: true },
  external: { one: "selected_option", many: "selected_options", preset: "initial_option", option: true, asks: true },
};

function groupsOf(one) {
  if (one.option_groups) return one.option_groups.map((group) => ({ label: group.label.text, options: group.options }));
  return [{ label: "", options: one.options ?? [] }];
}

function flat(source, one) {
  if (!source.option) return [{ label: "", choices: source.choices() }];
  return groupsOf(one).map((group) => ({ label: group.label, choices: group.options.map(asChoice) }));
}

const asChoice = (option) => ({ value: option.value, label: option.text.text, hint: option.description?.text, option });

function presetValues(source, one, multi) {
  const given = multi ? (one[`${source.preset}s`] ?? []) : one[source.preset] === undefined ? [] : [one[source.preset]];
  return given.map((value) => (source.option ? asChoice(value) : { value }));
}

function payloadOf(source, choices, multi) {
  const values = choices.map((choice) => (source.option ? choice.option : choice.value));
  return { [multi ? source.many : source.one]: multi ? values : (values[0] ?? null) };
}

function kept(context, blockId, one, source, multi) {
  const value = context.value(blockId, one.action_id)?.[multi ? source.many : source.one];
  if (value === undefined || value === null) return presetValues(source, one, multi);
  return [value].flat().map((each) => (source.option ? asChoice(each) : { value: each }));
}

async function settle(context, blockId, one, payload, undo) {
  const before = context.value(blockId, one.action_id);
  if (!(await confirmed(one.confirm))) return undo(before);
  context.keep(blockId, one, payload);
  if (context.dispatches(blockId, one)) await context.act(blockId, one, payload);
  return undefined;
}

function single(name) {
  const source = SOURCES[name];
  return (context, blockId, one) => {
    if (source.asks) return asking(context, blockId, one, source, false);
    const groups = flat(source, one);
    const [chosen] = kept(context, blockId, one, source, false);
    const option = (choice) =>
      h(
        "option",
        { value: choice.value, selected: choice.value === chosen?.value },
        choice.hint ? `${choice.label} — ${choice.hint}` : choice.label,
      );
    const node = h(
      "select",
      { class: "field select", "aria-label": one.placeholder?.text ?? "Choose", data: { action: one.action_id ?? "" } },
      h(
        "option",
        { value: "", disabled: !context.optional(blockId), selected: !chosen },
        one.placeholder?.text ?? "Choose…",
      ),
      groups.map((group) =>
        group.label ? h("optgroup", { label: group.label }, group.choices.map(option)) : group.choices.map(option),
      ),
    );
    context.keep(blockId, one, payloadOf(source, chosen ? [chosen] : [], false));
    node.addEventListener("change", () => {
      const picked = groups.flatMap((group) => group.choices).find((choice) => choice.value === node.value);
      settle(context, blockId, one, payloadOf(source, picked ? [picked] : [], false), () => {
        node.value = chosen?.value ?? "";
      });
    });
    return node;
  };
}

function several(name) {
  const source = SOURCES[name];
  return (context, blockId, one) =>
    source.asks ? asking(context, blockId, one, source, true) : boxes(context, blockId, one, source);
}

function boxes(context, blockId, one, source) {
  const choices = flat(source, one).flatMap((group) => group.choices);
  let chosen = kept(context, blockId, one, source, true);
  const node = opener(one);
  const show = () => fill(node, labels(chosen, choices) || one.placeholder?.text || "Choose…");
  const change = (choice, on) => {
    chosen = on ? [...chosen, choice] : chosen.filter((other) => other.value !== choice.value);
    context.keep(blockId, one, payloadOf(source, chosen, true));
    show();
  };
  const box = (choice) => {
    const ticked = h("input", { type: "checkbox", checked: chosen.some((other) => other.value === choice.value) });
    ticked.addEventListener("change", () => {
      if (ticked.checked && chosen.length >= (one.max_selected_items ?? Infinity)) ticked.checked = false;
      else change(choice, ticked.checked);
    });
    return h(
      "label",
      { class: "choice" },
      ticked,
      h("span", {}, choice.label, choice.hint && h("small", {}, choice.hint)),
    );
  };
  node.addEventListener("click", () => {
    const done = h(
      "button",
      {
        type: "button",
        class: "button primary",
        on: {
          click: () => {
            node.click();
            finish(context, blockId, one, source, chosen);
          },
        },
      },
      "Done",
    );
    hang(
      node,
      h(
        "div",
        { role: "group", "aria-label": one.placeholder?.text ?? "Choose" },
        choices.map(box),
        h("footer", {}, done),
      ),
      "choices",
    );
  });
  context.keep(blockId, one, payloadOf(source, chosen, true));
  show();
  return node;
}

function finish(context, blockId, one, source, chosen) {
  if (context.dispatches(blockId, one)) context.act(blockId, one, payloadOf(source, chosen, true));
}

function opener(one) {
  return h("button", {
    type: "button",
    class: "field select opener",
    "aria-haspopup": "true",
    data: { action: one.action_id ?? "" },
  });
}

function labels(chosen, choices) {
  return chosen
    .map((one) => one.label ?? choices.find((choice) => choice.value === one.value)?.label ?? one.value)
    .join(", ");
}

function asking(context, blockId, one, source, multi) {
  let chosen = kept(context, blockId, one, source, multi);
  const node = opener(one);
  const show = () => fill(node, labels(chosen, []) || one.placeholder?.text || "Search…");
  const pick = (option) => {
    const choice = asChoice(option);
    const others = chosen.filter((other) => other.value !== choice.value);
    chosen = multi ? [...others, ...(others.length === chosen.length ? [choice] : [])] : [choice];
    show();
    node.click();
    settle(context, blockId, one, payloadOf(source, chosen, multi), () => {
      chosen = [];
      show();
    });
  };
  const row = (option) =>
    h(
      "button",
      { type: "button", class: "menu-item", role: "menuitem", on: { click: () => pick(option) } },
      option.text.text,
    );
  node.addEventListener("click", () => {
    const found = h("div", { role: "menu" });
    const field = h("input", {
      class: "field",
      type: "search",
      autofocus: true,
      placeholder: "Type to search",
      "aria-label": "Search choices",
    });
    const search = async () => {
      if (field.value.length < (one.min_query_length ?? 3))
        return fill(found, h("p", { class: "quiet" }, "Keep typing…"));
      const answer = await context.suggest(blockId, one, field.value);
      const options = answer?.options ?? (answer?.option_groups ?? []).flatMap((group) => group.options);
      return fill(found, options.length ? options.map(row) : h("p", { class: "quiet" }, "Nothing found."));
    };
    field.addEventListener("input", search);
    if (hang(node, h("div", {}, field, found), "choices")) search();
  });
  context.keep(blockId, one, payloadOf(source, chosen, multi));
  show();
  return node;
}

export const SELECTS = {
  ...Object.fromEntries(Object.keys(SOURCES).map((name) => [`${name}_select`, single(name)])),
  ...Object.fromEntries(Object.keys(SOURCES).map((name) => [`multi_${name}_select`, several(name)])),
};
