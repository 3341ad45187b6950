/** Requests to the LangGraph server. Each of them has a current token. */
import { Client, type Message } from "@langchain/langgraph-sdk";
import { followRuns } from "./followRuns";
import { currentToken, endSession, renewToken } from "./session";
import { settings } from "./settings";

/** The state of the graph. */
export type ChatState = { messages: Message[] };

/** The answer of `GET /auth/whoami`. */
export interface Caller {
  identity: string;
  display_name: string;
  permissions: string[];
  tenant: string | null;
}

// Not `defaultHeaders`, which sends the same token until it expires. Not `onRequest`, which cannot repeat a request.
export const client = new Client<ChatState>({
  apiUrl: settings.apiUrl,
  apiKey: null,
  callerOptions: { fetch: fetchWithToken, maxRetries: 1 },
});
followRuns(client);

/** Return who the user is for the server, and what they may do. */
export async function whoami(): Promise<Caller> {
  const response = await fetchWithToken(`${settings.apiUrl}/auth/whoami`);
  if (response.ok) return (await response.json()) as Caller;
  throw Object.assign(new Error("whoami failed"), { status: response.status, text: await response.text(), response });
}

/**
 * Send a request with a current token.
 *
 * A token can be refused before it expires here, for example if a clock is wrong. Then the request is repeated once
 * with a new token. If that is refused too, the session ends.
 */
export async function fetchWithToken(input: RequestInfo | URL, init: RequestInit = {}): Promise<Response> {
  const first = await send(input, init, await currentToken());
  if (first.status !== 401) return first;
  if ((await refusal(first)).startsWith("token_revoked")) {
    await endSession({ kind: "revoked" });
    return first;
  }
  const second = await send(input, init, await renewToken());
  if (second.status === 401) await endSession({ kind: "rejected", detail: await refusal(second) });
  return second;
}

async function send(input: RequestInfo | URL, init: RequestInit, token: string): Promise<Response> {
  const headers = new Headers(init.headers);
  headers.set("Authorization", `Bearer ${token}`);
  try {
    const response = await fetch(input, { ...init, headers });
    setReachable(true);
    return response;
  } catch (error) {
    if (error instanceof TypeError) setReachable(false);
    throw error;
  }
}

async function refusal(response: Response): Promise<string> {
  const body: unknown = await response.clone().json().catch(() => null);
  return String((body as { detail?: unknown } | null)?.detail ?? response.statusText);
}

let reachable = true;
const listeners = new Set<() => void>();

function setReachable(value: boolean): void {
  if (reachable === value) return;
  reachable = value;
  for (const listener of listeners) listener();
}

/** Whether the server answered the last request. The SDK repeats a lost stream by itself, which the user should see. */
export const reachability = {
  get: () => reachable,
  subscribe: (listener: () => void) => {
    listeners.add(listener);
    return () => listeners.delete(listener);
  },
};
