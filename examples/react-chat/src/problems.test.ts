import { ErrorResponse } from "oidc-client-ts";
import { expect, test } from "vitest";
import { ProviderError, SessionEndedError } from "./errors";
import { explain, explainLogin, explainStart } from "./problems";

const MISSING = "missing permission threads:create (threads:write includes it)";

function httpError(status: number, detail: string, challenge = "") {
  const response = new Response(null, { headers: { "WWW-Authenticate": challenge } });
  return Object.assign(new Error(`HTTP ${status}`), { status, text: JSON.stringify({ detail }), response });
}

function named(name: string) {
  return Object.assign(new Error(name), { name });
}

test("a refusal names the missing permission", () => {
  const problem = explain(httpError(403, MISSING));
  expect(problem).toMatchObject({ kind: "refused", detail: MISSING, canRetry: false });
});

test("a refusal names the missing scope", () => {
  const problem = explain(httpError(403, MISSING, 'Bearer error="insufficient_scope", scope="threads:write"'));
  expect(problem?.advice).toContain('"threads:write"');
});

test.each([
  [httpError(404, "not found"), "missing", false],
  [httpError(503, "keys_unavailable: …"), "unavailable", true],
  [httpError(500, "internal"), "failed", true],
  [new TypeError("Failed to fetch"), "offline", true],
  [new TypeError("Load failed"), "offline", true],
  [new TypeError("x is undefined"), "failed", false],
  [named("ConnectionError"), "offline", true],
  [named("MaxReconnectAttemptsError"), "offline", true],
  [new ProviderError("no answer"), "offline", true],
  [named("GraphRecursionError"), "failed", false],
])("%s is %s", (error, kind, canRetry) => {
  expect(explain(error)).toMatchObject({ kind, canRetry });
});

test.each([
  null,
  new SessionEndedError("ended"),
  httpError(401, "token_expired: the token has expired"),
  named("token_expired"),
  named("token_revoked"),
])("%s is not shown, because the login page is", (error) => {
  expect(explain(error)).toBeNull();
});

test.each([
  [named("GraphRecursionError"), "GraphRecursionError"],
  ["ValueError('x')", "ValueError('x')"],
  [{ error: "ValueError" }, '{"error":"ValueError"}'],
])("the error of an agent is shown: %s", (error, detail) => {
  expect(explain(error)).toMatchObject({ title: "The agent stopped with an error", detail });
});

test("a server without the web application is explained", () => {
  expect(explainStart(httpError(404, "Not Found"))?.title).toBe("The server has no /auth/whoami");
  expect(explainStart(httpError(403, MISSING))?.kind).toBe("refused");
});

test("a body that is not JSON is shown as it is", () => {
  const error = Object.assign(new Error("HTTP 502"), { status: 502, text: "<html>Bad gateway</html>" });
  expect(explain(error)?.detail).toBe("<html>Bad gateway</html>");
});

test("a logout without the provider is explained", () => {
  const error = Object.assign(new Error("No end session endpoint"), { source: "signoutRedirect" });
  expect(explainLogin(error).title).toBe("You are logged out of this application only");
});

test.each([
  [new ErrorResponse({ error: "access_denied" }), "The login was canceled"],
  [new ErrorResponse({ error: "invalid_scope" }), "The login failed"],
  [new TypeError("Failed to fetch"), "The login service does not answer"],
])("a login that failed with %s", (innerError, title) => {
  expect(explainLogin(Object.assign(new Error("failed"), { innerError })).title).toBe(title);
});
