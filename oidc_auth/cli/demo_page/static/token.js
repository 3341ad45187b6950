// The tabs with permissions and claims of the signed-in user.

import { element, hidden } from "./dom.js";

const RESOURCES = {
  threads: ["create", "read", "update", "delete", "search", "create_run"],
  assistants: ["create", "read", "update", "delete", "search"],
  crons: ["create", "read", "update", "delete", "search"],
  store: ["put", "get", "search", "list_namespaces", "delete"],
};
const REACHES = { own: "", tenant: "@tenant", all: "@all" };

/** Return the matrix of permissions: events in rows, and what they reach in columns. */
export function renderMatrix(user) {
  const held = new Set(user.permissions);
  const names = Object.keys(REACHES);
  const head = element(
    "tr",
    {},
    element("th", { scope: "col" }, "event"),
    ...names.map((name) => element("th", { scope: "col" }, name)),
  );
  const bodies = Object.entries(RESOURCES).map(([resource, actions]) =>
    element(
      "tbody",
      {},
      ...actions.map((action) =>
        element(
          "tr",
          {},
          element("th", { scope: "row" }, element("code", {}, `${resource}:${action}`)),
          ...names.map((name) => cell(held, `${resource}:${action}`, name)),
        ),
      ),
    ),
  );
  const caption = element(
    "caption",
    {},
    `What ${user.identity} may do: with own objects, those of the tenant, or all.`,
  );
  return element("table", { class: "matrix" }, caption, element("thead", {}, head), ...bodies);
}

function cell(held, event, reach) {
  // A wider permission includes the narrower ones.
  const wider = Object.values(REACHES).slice(Object.keys(REACHES).indexOf(reach));
  const given = wider.some((suffix) => held.has(event + suffix) && (suffix || reach === "own"));
  const mark = element("span", { class: given ? "mark yes" : "mark no", "aria-hidden": "true" }, given ? "✓" : "–");
  return element("td", {}, mark, hidden(given ? "yes" : "no"));
}

/** Return the claims of the token and what each one gives. */
export function renderClaims({ claims, rows }) {
  const head = ["claim", "value", "gives"].map((name) => element("th", { scope: "col" }, name));
  const body = rows.map((row) =>
    element(
      "tr",
      { class: row.permissions.length ? "giving" : "" },
      element("th", { scope: "row" }, element("code", {}, row.claim)),
      element("td", {}, element("code", {}, textOf(row))),
      element("td", {}, gives(row)),
    ),
  );
  const caption = element(
    "caption",
    {},
    "The verified claims of the access token, and what the server takes from each.",
  );
  const table = element(
    "table",
    { class: "claims" },
    caption,
    element("thead", {}, element("tr", {}, ...head)),
    element("tbody", {}, ...body),
  );
  const json = element("pre", { tabindex: "0" }, JSON.stringify(claims, null, 2));
  return element("div", {}, table, element("details", {}, element("summary", {}, "All claims as JSON"), json));
}

function textOf(row) {
  return typeof row.value === "string" ? row.value : JSON.stringify(row.value);
}

function gives(row) {
  if (row.permissions.length) {
    return element(
      "ul",
      { class: "chips" },
      ...row.permissions.map((name) => element("li", {}, element("code", {}, name))),
    );
  }
  const isTime = ["exp", "iat", "nbf", "auth_time"].includes(row.claim);
  return isTime
    ? `${row.use || "a time"} (${new Date(row.value * 1000).toLocaleTimeString([], { hour12: false })})`
    : row.use || "–";
}
