import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { AuthProvider } from "react-oidc-context";
import { App } from "./App";
import { userManager } from "./session";
import "./style.css";

/** What the login page gets back from the provider. */
interface LoginState {
  search?: string;
}

function start(root: HTMLElement): void {
  createRoot(root).render(
    <StrictMode>
      <AuthProvider
        userManager={userManager}
        onSigninCallback={(user) => {
          // Remove the code from the address, and open the conversation that was open before the login.
          const search = (user?.state as LoginState | undefined)?.search ?? "";
          window.history.replaceState(null, "", `${window.location.pathname}${search}`);
        }}
        matchSignoutCallback={() => {
          const parameters = new URLSearchParams(window.location.search);
          return parameters.has("state") && !parameters.has("code") && !parameters.has("error");
        }}
        onSignoutCallback={() => window.history.replaceState(null, "", window.location.pathname)}
      >
        <App />
      </AuthProvider>
    </StrictMode>,
  );
}

// The browser's back button can restore this page as it was during a redirect.
window.addEventListener("pageshow", (event) => {
  if (event.persisted) window.location.reload();
});

const root = document.getElementById("root");
if (window.self !== window.top) {
  // The provider redirects the hidden frame of a renewal to this page.
  void userManager.signinSilentCallback();
} else if (root) {
  start(root);
}
