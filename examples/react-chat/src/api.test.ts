import { beforeEach, expect, test, vi } from "vitest";

const AUTHORITY = "https://sso.acme.com";
const API = "https://agents.acme.com";
const USER_KEY = `oidc.user:${AUTHORITY}:spa`;

class Storage extends Map<string, string> {
  getItem = (key: string) => this.get(key) ?? null;
  setItem = (key: string, value: string) => void this.set(key, value);
  removeItem = (key: string) => void this.delete(key);
}

let storage: Storage;
/** The Authorization header of each request to the API, and each refresh token that was used. */
let sent: string[];
let used: string[];
/** The status and the detail of the API for a token. */
let answer: (token: string) => [number, string];
let provider: () => Response;

beforeEach(() => {
  storage = new Storage();
  [sent, used] = [[], []];
  answer = () => [200, ""];
  provider = () => json(200, { access_token: `new-${used.length}`, token_type: "Bearer", expires_in: 300 });
  vi.resetModules();
  vi.stubEnv("VITE_OIDC_AUTHORITY", AUTHORITY);
  vi.stubEnv("VITE_OIDC_CLIENT_ID", "spa");
  vi.stubEnv("VITE_API_URL", API);
  vi.stubGlobal("window", { sessionStorage: storage, location: { origin: "https://app.acme.com" } });
  vi.stubGlobal("fetch", network);
});

const json = (status: number, body: unknown) =>
  new Response(JSON.stringify(body), { status, headers: { "Content-Type": "application/json" } });

async function network(input: RequestInfo | URL, init: RequestInit = {}): Promise<Response> {
  const url = String(input);
  if (url.endsWith("/.well-known/openid-configuration")) {
    return json(200, { issuer: AUTHORITY, token_endpoint: `${AUTHORITY}/token` });
  }
  if (url === `${AUTHORITY}/token`) {
    used.push(String((init.body as URLSearchParams).get("refresh_token")));
    return provider();
  }
  const token = new Headers(init.headers).get("Authorization") ?? "";
  sent.push(token);
  const [status, detail] = answer(token);
  return json(status, { detail });
}

/** Log a user in, with a token that expires after a number of seconds. */
async function session(seconds: number) {
  const now = Math.floor(Date.now() / 1000);
  const user = { access_token: "old", token_type: "Bearer", refresh_token: "refresh", profile: { sub: "alice" } };
  storage.set(USER_KEY, JSON.stringify({ ...user, expires_at: now + seconds }));
  return { ...(await import("./api")), ...(await import("./session")) };
}

const EXPIRED: [number, string] = [401, "token_expired: the token has expired"];

test("each request has the current token", async () => {
  const { fetchWithToken } = await session(300);
  await fetchWithToken(API, { headers: { Authorization: "Bearer wrong" } });
  expect([sent, used]).toEqual([["Bearer old"], []]);
});

test("requests at the same time share one renewal", async () => {
  const { fetchWithToken } = await session(-60);
  await Promise.all([fetchWithToken(API), fetchWithToken(API), fetchWithToken(API)]);
  expect([sent, used]).toEqual([["Bearer new-1", "Bearer new-1", "Bearer new-1"], ["refresh"]]);
});

test("a refused token is renewed once", async () => {
  const { fetchWithToken, sessionEnd } = await session(300);
  answer = (token) => (token === "Bearer old" ? EXPIRED : [200, ""]);
  expect((await fetchWithToken(API)).status).toBe(200);
  expect([sent, sessionEnd()]).toEqual([["Bearer old", "Bearer new-1"], null]);
});

test("a refused new token ends the session", async () => {
  const { fetchWithToken, sessionEnd } = await session(300);
  answer = () => [401, "audience_mismatch: the token is for another API"];
  expect((await fetchWithToken(API)).status).toBe(401);
  expect(sent).toHaveLength(2);
  expect(sessionEnd()).toEqual({ kind: "rejected", detail: "audience_mismatch: the token is for another API" });
  expect(storage.has(USER_KEY)).toBe(false);
});

test("a revoked token is not renewed", async () => {
  const { fetchWithToken, sessionEnd } = await session(300);
  answer = () => [401, "token_revoked: the token was revoked"];
  await fetchWithToken(API);
  expect([sent, used, sessionEnd()]).toEqual([["Bearer old"], [], { kind: "revoked" }]);
});

test("a refused refresh token ends the session", async () => {
  const { fetchWithToken, sessionEnd } = await session(-60);
  provider = () => json(400, { error: "invalid_grant" });
  await expect(fetchWithToken(API)).rejects.toThrow("The provider did not renew the token.");
  expect([sent, sessionEnd(), storage.has(USER_KEY)]).toEqual([[], { kind: "expired" }, false]);
});

test.each([
  () => json(503, { error: "temporarily_unavailable" }),
  () => {
    throw new TypeError("Failed to fetch");
  },
])("a provider that does not answer keeps the session", async (failure) => {
  const { fetchWithToken, sessionEnd } = await session(-60);
  provider = failure;
  await expect(fetchWithToken(API)).rejects.toMatchObject({ name: "ProviderError" });
  expect([sent, sessionEnd(), storage.has(USER_KEY)]).toEqual([[], null, true]);
});
