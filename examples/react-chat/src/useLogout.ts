import { useAuth } from "react-oidc-context";
import { forgetDraft } from "./draft";
import { userManager } from "./session";

/** Return a function that ends the session here and at the provider. */
export function useLogout(): () => void {
  const auth = useAuth();
  return () => void logOut(auth.signoutRedirect);
}

async function logOut(signoutRedirect: () => Promise<void>): Promise<void> {
  forgetDraft();
  // Some refresh tokens outlive the session. Not every provider can do this, and a failure must not stop the logout.
  await userManager.revokeTokens(["refresh_token"]).catch(() => undefined);
  await signoutRedirect();
}
