/** What went wrong, in plain words, and what the user can do. */
import { ErrorResponse } from "oidc-client-ts";
import { ProviderError, SessionEndedError } from "./errors";
import { TOKEN_EXPIRED, TOKEN_REVOKED } from "./followRuns";
import type { EndReason } from "./session";

export interface Problem {
  kind: "offline" | "refused" | "missing" | "unavailable" | "failed";
  title: string;
  advice: string;
  /** The words of the server, for the person who can fix it. */
  detail?: string;
  /** Whether the same request can succeed later. */
  canRetry: boolean;
}

interface HttpError {
  status: number;
  text: string;
  response?: Response;
}

/** Return the problem of a request or a stream, or null if the user need not know. */
export function explain(error: unknown): Problem | null {
  if (error == null || isHandled(error)) return null;
  if (error instanceof ProviderError) return provider;
  if (isHttpError(error)) return explainStatus(error);
  if (isNetworkError(error)) return offline;
  return { ...stopped, detail: readMessage(error) };
}

/** Return the problem of the first request, which shows how the server is set up. */
export function explainStart(error: unknown): Problem | null {
  const problem = explain(error);
  return problem?.kind === "missing" ? noWebApplication : problem;
}

/** Whether the user sees the login page instead, or a new stream. */
function isHandled(error: unknown): boolean {
  if (error instanceof SessionEndedError) return true;
  if (isHttpError(error)) return error.status === 401;
  return error instanceof Error && [TOKEN_EXPIRED, TOKEN_REVOKED].includes(error.name);
}

function explainStatus(error: HttpError): Problem {
  const detail = readDetail(error.text);
  switch (error.status) {
    case 403:
      return { ...refused(error.response), detail };
    case 404:
      return { ...missing };
    case 429:
    case 502:
    case 503:
    case 504:
      return { ...unavailable, detail };
    default:
      return { ...failed, detail: `${error.status}: ${detail}` };
  }
}

function refused(response: Response | undefined): Problem {
  const challenge = response?.headers.get("WWW-Authenticate") ?? "";
  const scope = /\bscope="([^"]+)"/.exec(challenge)?.[1];
  return {
    kind: "refused",
    title: "You may not do this",
    advice: scope
      ? `This application must request the scope "${scope}" when you log in. Ask an administrator.`
      : "Ask an administrator for this permission. It does not help to try again.",
    canRetry: false,
  };
}

const offline: Problem = {
  kind: "offline",
  title: "The server does not answer",
  advice: "Check your connection, then try again.",
  canRetry: true,
};
const provider: Problem = {
  ...offline,
  title: "The login service does not answer",
  advice: "Your session could not be renewed. Check your connection, then try again.",
};
const missing: Problem = {
  kind: "missing",
  title: "This conversation does not exist",
  advice: "It was deleted, or it belongs to another user.",
  canRetry: false,
};
const unavailable: Problem = {
  kind: "unavailable",
  title: "The server cannot answer now",
  advice: "Wait a moment, then try again. You need not log in again.",
  canRetry: true,
};
const failed: Problem = {
  kind: "failed",
  title: "Something went wrong",
  advice: "Try again. If it happens again, tell an administrator.",
  canRetry: true,
};

// The same run would end with the same error.
const stopped: Problem = {
  ...failed,
  title: "The agent stopped with an error",
  advice: "Send a message to continue. If it happens again, tell an administrator.",
  canRetry: false,
};

const noWebApplication: Problem = {
  ...failed,
  title: "The server has no /auth/whoami",
  advice: 'Its operator sets "http": { "app": "oidc_auth.web:app" } in langgraph.json.',
};

/** Return what to tell a user on the login page. */
export function explainEnd(reason: EndReason): Problem {
  switch (reason.kind) {
    case "expired":
      return { ...end, title: "Your session has expired", advice: "Log in again to continue. Your text is kept." };
    case "revoked":
      return { ...end, title: "Your access has ended", advice: "Log in again. If that fails, ask an administrator." };
    case "rejected":
      return {
        ...end,
        title: "The server does not accept your login",
        advice: "Ask an administrator. It needs this message:",
        detail: reason.detail,
      };
  }
}

const end: Problem = { ...failed, kind: "refused", canRetry: false };

/** Return what to tell a user whose login or logout failed. */
export function explainLogin(error: Error & { innerError?: unknown; source?: string }): Problem {
  if (error.source === "signoutRedirect") return { ...localLogout, detail: error.message };
  const cause = error.innerError ?? error;
  if (cause instanceof ErrorResponse) {
    const canceled = cause.error === "access_denied";
    return {
      ...failed,
      title: canceled ? "The login was canceled" : "The login failed",
      advice: canceled ? "Log in again to continue." : failed.advice,
      detail: cause.message,
    };
  }
  if (isNetworkError(cause) || (cause instanceof Error && cause.name === "ErrorTimeout")) {
    return { ...offline, title: "The login service does not answer", advice: "Check your connection, then try again." };
  }
  return { ...failed, title: "The login failed", detail: error.message };
}

// Some providers have no end session endpoint.
const localLogout: Problem = {
  ...failed,
  title: "You are logged out of this application only",
  advice: "The login service did not end your session. On a shared computer, log out there too.",
};

function isHttpError(error: unknown): error is Error & HttpError {
  return error instanceof Error && "status" in error && typeof error.status === "number";
}

function isNetworkError(error: unknown): boolean {
  // The texts of Chromium, Firefox and Safari, and the names of the SDK for requests and streams.
  if (error instanceof TypeError) return /fetch|network|load failed/i.test(error.message);
  return error instanceof Error && ["ConnectionError", "MaxReconnectAttemptsError"].includes(error.name);
}

/** The error of a stream is an object. The stored error of a thread can be a text. */
function readMessage(error: unknown): string {
  if (typeof error === "string") return error;
  const message: unknown = (error as { message?: unknown }).message;
  return typeof message === "string" ? message : JSON.stringify(error);
}

function readDetail(text: string): string {
  try {
    return String((JSON.parse(text) as { detail?: unknown }).detail ?? text);
  } catch {
    return text;
  }
}
