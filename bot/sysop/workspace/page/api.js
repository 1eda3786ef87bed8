// Speaks to the control API. The token comes with the first address, is kept for this tab and leaves the address bar.

const KEY = "workspace-token";

function takeToken() {
  const address = new URL(location.href);
  const given = address.searchParams.get("token");
  if (given) {
    sessionStorage.setItem(KEY, given);
    address.searchParams.delete("token");
    history.replaceState(null, "", address);
  }
  return given ?? sessionStorage.getItem(KEY) ?? "";
}

const token = takeToken();

/** Says what the server did not do, and with which answer. */
export class Refused extends Error {
  constructor(code, message, body = {}) {
    super(message || code);
    this.code = code;
    this.body = body;
  }
}

async function answer(request) {
  let response;
  try {
    response = await request;
  } catch {
    throw new Refused("unreachable", "The workspace does not answer. Is it still running?");
  }
  if (response.status === 401 || response.status === 403) {
    throw new Refused(
      "no_token",
      "This page was opened without its token. Open the address that the workspace printed.",
    );
  }
  const body = await response.json().catch(() => ({}));
  if (!response.ok || body.ok === false)
    throw new Refused(body.error ?? `http_${response.status}`, body.message ?? "", body);
  return body;
}

function address(path, query) {
  const url = new URL(`/_control/${path}`, location.origin);
  for (const [name, value] of Object.entries(query))
    if (value !== undefined && value !== null) url.searchParams.set(name, value);
  return url;
}

/** Read something. */
export function get(path, query = {}) {
  return answer(fetch(address(path, query), { headers: { "X-Workspace-Token": token } }));
}

/** Do something; the answer says what the app answered. */
export function post(path, body) {
  const headers = { "X-Workspace-Token": token, "Content-Type": "application/json" };
  return answer(fetch(address(path, {}), { method: "POST", headers, body: JSON.stringify(body) }));
}

/** Return the address of a file's bytes. */
export function fileAddress(id) {
  return address(`files/${encodeURIComponent(id)}`, { token }).href;
}

/** Read a file as text. */
export async function fileText(id) {
  const response = await fetch(address(`files/${encodeURIComponent(id)}`, {}), {
    headers: { "X-Workspace-Token": token },
  });
  return response.ok ? response.text() : "";
}

/** Listen to changes; returns how to stop. `onLost` hears of a broken line, which mends itself. */
export function listen(user, after, onEvent, onLine) {
  let last = after;
  let source;
  let timer;
  let ended = false;
  const connect = () => {
    source = new EventSource(address("events", { user, after: last, token }));
    source.onopen = () => onLine(true);
    source.onmessage = (message) => {
      const change = JSON.parse(message.data);
      if (change.n <= last) return;
      last = change.n;
      onEvent(change);
    };
    source.onerror = () => {
      source.close();
      if (ended) return;
      onLine(false);
      timer = setTimeout(connect, 1000);
    };
  };
  connect();
  return () => {
    ended = true;
    clearTimeout(timer);
    source.close();
  };
}
