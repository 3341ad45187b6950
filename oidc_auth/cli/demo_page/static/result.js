// A request, the answer of the server, and the decision about it.

import { element, short } from "./dom.js";
import { describeFilter, reasonOf } from "./feed.js";

const STATUS = {
  200: "OK",
  401: "Unauthorized",
  403: "Forbidden",
  404: "Not Found",
  409: "Conflict",
  422: "Unprocessable Content",
  503: "Service Unavailable",
};

/** Return a status with its name. */
export function statusText(status) {
  return `${status} ${STATUS[status] ?? ""}`.trim();
}

/** Return a status as a badge. */
export function statusBadge(status) {
  return element("span", { class: `badge ${status < 400 ? "allowed" : "denied"}` }, statusText(status));
}

/** Return the element for a request. The decision may be null. */
export function renderResult(method, path, { status, body }, decision) {
  const shortPath = path.replace(/[0-9a-f]{8}-[0-9a-f-]{27}/g, short);
  const head = element(
    "p",
    { class: "result-head" },
    statusBadge(status),
    element("code", {}, `${method} ${shortPath}`),
  );
  const detail = element("p", {}, "The server answers: ", element("q", {}, String(body?.detail ?? body)));
  const why = decision && element("p", {}, element("strong", {}, "Why: "), explain(status, decision));
  return element("div", {}, head, status < 400 ? null : detail, why);
}

/** Return why the server answered with this status. */
function explain(status, decision) {
  if (decision.outcome === "denied") return `${reasonOf(decision)} ${decision.hint ?? ""}`;
  const where = decision.filter ? `only where ${describeFilter(decision.filter)}` : "for all objects";
  const start = `${decision.identity} has ${decision.permission}, ${where}.`;
  if (status === 404) return `${start} This thread does not match. A thread that does not exist gets the same answer.`;
  return `${start} This thread matches.`;
}
