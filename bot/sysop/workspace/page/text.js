// Text objects of blocks.

import { mrkdwn, plainText } from "./mrkdwn.js";

/** Make the nodes of a plain_text or mrkdwn object. */
export function textOf(one) {
  if (!one) return [];
  return one.type === "mrkdwn" ? mrkdwn(one.text ?? "") : plainText(one.text ?? "", one.emoji !== false);
}

/** Return the bare words of a text object, for labels and options. */
export function wordsOf(one) {
  return one?.text ?? "";
}
