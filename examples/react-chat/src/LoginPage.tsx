import { useLayoutEffect } from "react";
import { useAuth } from "react-oidc-context";
import { Notice } from "./Notice";
import { explainEnd, explainLogin, type Problem } from "./problems";
import { sessionEnd } from "./session";

export function LoginPage() {
  const auth = useAuth();
  const problem = useProblem();
  const logIn = () => void auth.signinRedirect({ state: { search: window.location.search } });
  return (
    <main className="page">
      <div className="card">
        <img src="/icon.svg" alt="" width="48" height="48" />
        <h1>Agent chat</h1>
        {problem ? <Notice problem={problem} /> : <p>Log in to talk to your agent.</p>}
        <button className="primary" onClick={logIn} autoFocus>
          Log in
        </button>
      </div>
    </main>
  );
}

function useProblem(): Problem | null {
  const { error } = useAuth();
  useLayoutEffect(() => {
    // Loading the page again must not repeat a failed callback.
    if (error?.source === "signinCallback") window.history.replaceState(null, "", window.location.pathname);
  }, [error]);
  if (error) return explainLogin(error);
  const reason = sessionEnd();
  return reason && explainEnd(reason);
}
