// Names, initials, colours and times as people read them.

import { state } from "./state.js";

/** Return somebody's name. */
export function nameOf(id) {
  const user = state.users.get(id);
  return user ? user.real_name || user.name : id === "USLACKBOT" ? "Workspace" : id;
}

/** Return the name a message was sent under. */
export function authorOf(message) {
  return message.username || nameOf(message.user);
}

/** Return a channel's name, for a direct message that of the other one. */
export function channelName(channel) {
  if (!channel) return "";
  return channel.kind === "dm" ? channel.name || state.app.name : channel.name;
}

/** Return up to two letters that stand for a name. */
export function initials(name) {
  const words = name.split(/[\s-]+/).filter((word) => /\p{L}|\p{N}/u.test(word));
  const letters = words.slice(0, 2).map((word) => [...word][0]);
  return (letters.join("") || "?").toUpperCase();
}

/** Return one of a few colours, always the same for a name. */
export function colourOf(text) {
  let sum = 0;
  for (const letter of text) sum = (sum * 31 + letter.codePointAt(0)) % 997;
  return `c${sum % 8}`;
}

/** Return the date of a ts. */
export function dateOf(ts) {
  return new Date(Number.parseFloat(ts) * 1000);
}

/** Return the time of day of a ts. */
export function timeOf(ts) {
  return dateOf(ts).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
}

/** Return the day of a ts in words. */
export function dayOf(ts) {
  const date = dateOf(ts);
  const today = new Date();
  const days = Math.round((new Date(today).setHours(0, 0, 0, 0) - new Date(date).setHours(0, 0, 0, 0)) / 86_400_000);
  if (days === 0) return "Today";
  if (days === 1) return "Yesterday";
  return date.toLocaleDateString([], { weekday: "long", day: "numeric", month: "long" });
}

/** Return the badges somebody wears. */
export function badgesOf(user) {
  const badges = [...(user.roles ?? [])];
  if (user.is_bot) badges.push("app");
  if (user.is_restricted) badges.push("guest");
  if (user.is_stranger) badges.push("external");
  return badges.length ? badges : ["member"];
}

const DATE_PARTS = {
  date_num: { year: "numeric", month: "2-digit", day: "2-digit" },
  date: { year: "numeric", month: "long", day: "numeric" },
  date_short: { year: "numeric", month: "short", day: "numeric" },
  date_long: { weekday: "long", year: "numeric", month: "long", day: "numeric" },
  time: { hour: "2-digit", minute: "2-digit", hourCycle: "h23" },
  time_secs: { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" },
};

/** Return a date in one of Slack's formats, `{date_short_pretty} at {time}`. */
export function formatted(seconds, format) {
  const date = new Date(seconds * 1000);
  return format.replace(/\{(\w+)\}/g, (whole, word) => {
    if (word === "ago") return ago(seconds);
    const pretty = word.endsWith("_pretty");
    if (pretty) {
      const day = dayOf(String(seconds));
      if (day === "Today" || day === "Yesterday") return day.toLowerCase();
    }
    const parts = DATE_PARTS[pretty ? word.slice(0, -7) : word];
    return parts ? date.toLocaleString([], parts) : whole;
  });
}

function ago(seconds) {
  const minutes = Math.round((Date.now() / 1000 - seconds) / 60);
  const words = new Intl.RelativeTimeFormat(undefined, { numeric: "auto" });
  if (Math.abs(minutes) < 60) return words.format(-minutes, "minute");
  if (Math.abs(minutes) < 1440) return words.format(-Math.round(minutes / 60), "hour");
  return words.format(-Math.round(minutes / 1440), "day");
}
