// What the composer offers while somebody types: commands, their words, people, channels.

import { badgesOf, channelName } from "./names.js";
import { state } from "./state.js";

const MOST = 8;

/** Return what could be written at the caret: where it begins, and the choices. Null when there is nothing to offer. */
export function completions(text, caret) {
  const before = text.slice(0, caret);
  return commandNames(before) ?? commandWords(before) ?? people(before) ?? rooms(before);
}

function commandNames(before) {
  const found = /^\/[\w-]*$/.exec(before);
  if (!found) return null;
  const choices = state.app.commands.filter((one) => one.command.startsWith(before));
  return offer(
    0,
    choices.map((one) => ({
      insert: `${one.command} `,
      label: one.command,
      hint: one.usage_hint || one.description,
      note: one.description,
    })),
  );
}

function commandWords(before) {
  const found = /^(\/[\w-]+)\s+(\S*)$/.exec(before);
  if (!found) return null;
  const command = state.app.commands.find((one) => one.command === found[1]);
  const words = (command?.usage_hint ?? "")
    .split("|")
    .map((word) => word.trim().replace(/^\[|\]$/g, ""))
    .filter(Boolean);
  const fitting = words.filter((word) => word.startsWith(found[2]) && word.split(/\s/)[0] !== found[2]);
  return offer(
    before.length - found[2].length,
    fitting.map((word) => ({ insert: `${word.split(/\s/)[0]} `, label: word, hint: found[1] })),
  );
}

function people(before) {
  const found = /(?:^|[\s(])@([\w.-]*)$/.exec(before);
  if (!found) return null;
  const wanted = found[1].toLowerCase();
  const users = [...state.users.values()].filter((one) =>
    `${one.name} ${one.real_name}`.toLowerCase().includes(wanted),
  );
  return offer(
    before.length - found[1].length - 1,
    users.map((one) => ({
      insert: `@${one.name} `,
      label: one.real_name || one.name,
      hint: `@${one.name}`,
      note: badgesOf(one).join(", "),
      user: one.id,
    })),
  );
}

function rooms(before) {
  const found = /(?:^|[\s(])#([\w-]*)$/.exec(before);
  if (!found) return null;
  const channels = [...state.channels.values()].filter((one) => one.kind !== "dm" && one.name.startsWith(found[1]));
  return offer(
    before.length - found[1].length - 1,
    channels.map((one) => ({ insert: `#${one.name} `, label: `#${channelName(one)}`, hint: one.topic })),
  );
}

function offer(from, choices) {
  return choices.length ? { from, choices: choices.slice(0, MOST) } : null;
}
