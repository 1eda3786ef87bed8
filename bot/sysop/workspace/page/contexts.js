// What elements of a surface need: the values typed so far, and how to act.

import { post } from "./api.js";
import { state } from "./state.js";
import { attempt } from "./toasts.js";

const typed = new Map();
const picks = new Map();

/** Forget what was typed on a surface that is gone. */
export function forget(id) {
  typed.delete(id);
}

function inputBlocks(list, found = new Map()) {
  for (const one of list ?? []) {
    if (one.type === "input") found.set(one.block_id, one);
    if (one.child_blocks) inputBlocks(one.child_blocks, found);
  }
  return found;
}

function base(id, list, send) {
  const inputs = inputBlocks(list);
  if (!typed.has(id)) typed.set(id, {});
  const values = typed.get(id);
  return {
    id,
    values,
    value: (blockId, actionId) => values[blockId]?.[actionId],
    keep: (blockId, one, payload) => {
      values[blockId] = { ...values[blockId], [one.action_id]: { type: one.type, ...payload } };
    },
    dispatches: (blockId) => !inputs.has(blockId) || Boolean(inputs.get(blockId).dispatch_action),
    optional: (blockId) => Boolean(inputs.get(blockId)?.optional),
    act: (blockId, one, payload) =>
      attempt(
        send("act", { block_id: blockId, action_id: one.action_id, element_type: one.type, ...payload, state: values }),
      ),
    suggest: (blockId, one, value) => attempt(send("suggest", { block_id: blockId, action_id: one.action_id, value })),
    chosen: (blockId, actionId) => picks.get(`${id} ${blockId} ${actionId}`),
    choose: (blockId, actionId, value) => picks.set(`${id} ${blockId} ${actionId}`, value),
  };
}

/** Return the context of a message's blocks. */
export function messageContext(message) {
  const place = { user: state.me.id, channel: message.channel, message_ts: message.ts };
  const paths = { act: "interact", suggest: "suggest" };
  return base(`${message.channel} ${message.ts}`, message.blocks, (what, body) =>
    post(paths[what], { ...place, ...body }),
  );
}

/** Return the context of a modal's or a Home's blocks. */
export function viewContext(view) {
  const place = { user: state.me.id, view_id: view.id };
  const paths = { act: "view_action", suggest: "suggest" };
  return base(view.id, view.blocks, (what, body) => post(paths[what], { ...place, ...body }));
}
