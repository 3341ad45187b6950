import { useAuth } from "react-oidc-context";
import { LoginPage } from "./LoginPage";
import { Workspace } from "./Workspace";

/** Show the login page or the chat. */
export function App() {
  const auth = useAuth();
  if (auth.activeNavigator === "signinRedirect") return <Waiting text="Opening the login page…" />;
  if (auth.activeNavigator === "signoutRedirect") return <Waiting text="Logging out…" />;
  // Not `isAuthenticated`, which is false as soon as the token has expired. A request then renews it.
  if (auth.user) return <Workspace key={auth.user.profile.sub} />;
  if (auth.isLoading) return <Waiting text="Checking your session…" />;
  return <LoginPage />;
}

export function Waiting({ text }: { text: string }) {
  return (
    <main className="page" aria-busy="true">
      <p role="status" className="waiting">
        {text}
      </p>
    </main>
  );
}
