// The feed of decisions of the server: one entry for each one, the newest first.

import { announce, avatar, element, short } from "./dom.js";

const START = "demo.feed";
const LONGEST = 200;
const SAY_EVERY = 4000;

export class Feed {
  constructor(first) {
    // A login leaves the page. It continues where it was, and a new tab starts empty.
    this.last = Number(sessionStorage.getItem(START) ?? first);
    this.listeners = new Set();
    this.unsaid = [];
    this.waiting = [];
    this.shown = new WeakMap();
    this.latest = document.getElementById("latest");
    this.list = document.getElementById("feed-list");
    this.state = document.getElementById("feed-state");
    this.pause = document.getElementById("feed-pause");
    this.pause.addEventListener("click", () => this.togglePause());
    document.getElementById("feed-clear").addEventListener("click", () => this.clear());
    sessionStorage.setItem(START, this.last);
  }

  /** Follow the server. The browser connects again by itself, and then sends the number of the last entry. */
  start() {
    const source = new EventSource(`decisions?after=${this.last}`);
    source.onmessage = ({ data, lastEventId }) => this.add(JSON.parse(data), Number(lastEventId));
    source.onopen = () => this.describe("");
    source.onerror = () => this.describe("The server does not answer. Is the demo still running?");
  }

  add(entry, number) {
    this.last = number;
    this.listeners.forEach((listener) => listener(entry));
    if (this.isPaused) this.waiting.push(entry);
    else this.show(entry);
    this.describe("");
  }

  show(entry) {
    const previous = this.newest?.entry;
    // One run causes several equal decisions.
    const count = previous && isSame(previous, entry) ? this.newest.count + 1 : 1;
    if (count > 1) this.list.firstChild.remove();
    this.newest = { entry, count };
    this.list.prepend(renderEntry(entry, count));
    this.shown.set(entry, this.list.firstChild);
    this.latest.replaceChildren(badge(entry.outcome), ` ${titleOf(entry)}`);
    this.latest.hidden = false;
    while (this.list.children.length > LONGEST) this.list.lastChild.remove();
    this.sayLater(entry);
  }

  /** Add the answer of the server to the entry of a decision. */
  annotate(entry, answer) {
    this.shown
      .get(entry)
      ?.querySelector(".facts")
      .append(element("div", {}, element("dt", {}, "answer"), element("dd", {}, answer)));
  }

  get isPaused() {
    return this.pause.getAttribute("aria-pressed") === "true";
  }

  togglePause() {
    this.pause.setAttribute("aria-pressed", String(!this.isPaused));
    this.waiting.splice(0).forEach((entry) => this.show(entry));
    this.describe("");
  }

  clear() {
    this.list.replaceChildren();
    this.newest = null;
    this.waiting = [];
    sessionStorage.setItem(START, this.last);
    this.describe("");
  }

  describe(problem) {
    const paused = this.isPaused ? `Paused. ${this.waiting.length} new.` : "";
    const empty = this.list.children.length ? "" : "Each decision of the server appears here, for all users.";
    this.state.textContent = problem || paused || empty;
    this.state.hidden = !this.state.textContent;
  }

  /** Say one sentence for all decisions of some seconds, because a run causes several at once. */
  sayLater(entry) {
    this.unsaid.push(entry);
    if (this.unsaid.length > 1) return;
    setTimeout(() => {
      const entries = this.unsaid.splice(0);
      const worst = entries.findLast((each) => each.outcome === "denied") ?? entries.at(-1);
      const rest = entries.length > 1 ? `${entries.length} decisions. ` : "";
      announce(`${rest}${titleOf(worst)}: ${STATES[worst.outcome]}. ${reasonOf(worst)}`);
    }, SAY_EVERY);
  }

  /** Return the next decision that fits, or null if none comes in time. */
  next(fits, milliseconds = 10_000) {
    return new Promise((resolve) => {
      const finish = (found) => {
        this.listeners.delete(listener);
        resolve(found);
      };
      const listener = (entry) => fits(entry) && finish(entry);
      this.listeners.add(listener);
      setTimeout(finish, milliseconds, null);
    });
  }
}

const STATES = { allowed: "allowed", denied: "refused", received: "received", closed: "closed" };
const MARKS = { allowed: "✓", denied: "✕", received: "!", closed: "✕" };

function isSame(first, second) {
  const facts = ({ outcome, identity, event, code, filter, ids }) =>
    JSON.stringify([outcome, identity, event, code, filter, ids]);
  return facts(first) === facts(second);
}

/** Return an entry as an element. */
function renderEntry(entry, count) {
  const when = new Date(entry.time * 1000);
  return element(
    "li",
    { class: `entry ${entry.outcome}` },
    element(
      "div",
      { class: "entry-head" },
      badge(entry.outcome),
      entry.identity ? avatar(entry.identity) : null,
      element("strong", {}, titleOf(entry)),
      element("time", { datetime: when.toISOString() }, when.toLocaleTimeString([], { hour12: false })),
    ),
    entry.outcome === "allowed" ? null : element("p", { class: "reason" }, reasonOf(entry)),
    entry.hint ? element("p", { class: "hint" }, entry.hint) : null,
    detailsOf(entry, count),
  );
}

/** Return an outcome as a word with a mark. */
export function badge(outcome) {
  return element(
    "span",
    { class: `badge ${outcome}` },
    element("span", { "aria-hidden": "true" }, MARKS[outcome]),
    ` ${STATES[outcome]}`,
  );
}

function titleOf(entry) {
  if (entry.kind === "authorization") return `${entry.identity || "unknown user"} ${entry.event}`;
  return entry.kind === "authentication" ? "access token" : "revocation";
}

/** Return why an entry has its outcome, as a sentence. */
export function reasonOf(entry) {
  if (entry.kind === "revocation")
    return `The provider ended a ${entry.revoked}. The server refuses its tokens and closes its streams.`;
  if (entry.code === "permission_missing") return `The permission ${entry.permission} is missing.`;
  if (entry.outcome === "denied") return `${capital(entry.message)}.`;
  if (entry.filter) return `Filter: ${describeFilter(entry.filter)}.`;
  return "No filter.";
}

/** Return a filter of metadata as text. */
export function describeFilter(filter) {
  return Object.entries(filter)
    .map(([key, value]) => (key === "$or" ? value.map(describeFilter).join(" or ") : `${key} = ${value ?? "none"}`))
    .join(" and ");
}

function detailsOf(entry, count) {
  const facts = {};
  if (entry.kind === "authorization") Object.assign(facts, describeAuthorization(entry));
  if (entry.code) facts.code = entry.code;
  if (count > 1) facts.times = count;
  const pairs = Object.entries(facts).map(([name, value]) =>
    element("div", { class: `fact-${name}` }, element("dt", {}, name), element("dd", {}, element("code", {}, value))),
  );
  return element("dl", { class: "facts" }, ...pairs);
}

function describeAuthorization({ outcome, permission, filter, ids }) {
  const facts = outcome === "allowed" ? { filter: filter ? describeFilter(filter) : "none" } : {};
  facts.permission = permission;
  for (const name of ["thread", "run", "cron"]) if (ids[`${name}_id`]) facts[name] = short(ids[`${name}_id`]);
  return facts;
}

function capital(text) {
  return text.slice(0, 1).toUpperCase() + text.slice(1);
}
