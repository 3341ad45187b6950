/** The session of the user at the OpenID provider. It renews the access token when a request needs it. */
import { ErrorResponse, UserManager, WebStorageStateStore, type User } from "oidc-client-ts";
import { ProviderError, SessionEndedError } from "./errors";
import { settings } from "./settings";

/** A token that expires sooner than this is renewed before it is sent. */
const RENEW_SECONDS = 10;
const TIMEOUT_SECONDS = 10;

/** Errors after which the provider can answer again, so the session continues. */
const TEMPORARY_ERRORS = ["server_error", "temporarily_unavailable"];

// Only this tab can read it, and it ends with the tab. Nothing is written to localStorage.
const store = new WebStorageStateStore({ store: window.sessionStorage });
const address = `${window.location.origin}/`;

export const userManager = new UserManager({
  authority: settings.authority,
  client_id: settings.clientId,
  scope: settings.scope,
  redirect_uri: address,
  post_logout_redirect_uri: address,
  userStore: store,
  stateStore: store,
  // `renewToken` does it. Two renewals at the same time would use a refresh token twice, and many providers then end
  // the session (RFC 9700 §4.14.2).
  automaticSilentRenew: false,
  requestTimeoutInSeconds: TIMEOUT_SECONDS,
  silentRequestTimeoutInSeconds: TIMEOUT_SECONDS,
  ...(settings.audience && { extraQueryParams: { audience: settings.audience } }),
  ...(settings.resource && { resource: settings.resource }),
});

/** Why the session has ended. `rejected` means that the server refused a new token. */
export type EndReason =
  | { kind: "expired" }
  | { kind: "revoked" }
  | { kind: "rejected"; detail: string };

let endReason: EndReason | null = null;
let renewal: Promise<string> | null = null;

/** Return why the session has ended, or null. */
export function sessionEnd(): EndReason | null {
  return endReason;
}

/** Remove the tokens, so that the application shows the login page. */
export async function endSession(reason: EndReason): Promise<void> {
  endReason = reason;
  await userManager.removeUser();
}

/** Return an access token that has not expired. */
export async function currentToken(): Promise<string> {
  const user = await userManager.getUser();
  if (!user) throw new SessionEndedError("There is no session.");
  return needsRenewal(user) ? await renewToken() : user.access_token;
}

function needsRenewal(user: User): boolean {
  return user.expires_in !== undefined && user.expires_in < RENEW_SECONDS;
}

/** Return a new access token. Calls at the same time share one renewal. */
export function renewToken(): Promise<string> {
  renewal ??= requestToken().finally(() => {
    renewal = null;
  });
  return renewal;
}

async function requestToken(): Promise<string> {
  try {
    // With the refresh token, or else in a frame with the provider's cookie.
    const user = await userManager.signinSilent();
    if (user) return user.access_token;
  } catch (error) {
    if (!(error instanceof ErrorResponse) || TEMPORARY_ERRORS.includes(error.error ?? "")) {
      throw new ProviderError("The token could not be renewed.", { cause: error });
    }
  }
  await endSession({ kind: "expired" });
  throw new SessionEndedError("The provider did not renew the token.");
}
