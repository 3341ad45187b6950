import type { Caller } from "./api";
import { useLogout } from "./useLogout";

/** The name of the user. It opens what the server knows about them, and the logout. */
export function Account({ caller }: { caller: Caller }) {
  const logOut = useLogout();
  const name = caller.display_name || caller.identity;
  return (
    <>
      <button className="account" popoverTarget="account" aria-label={`Account: ${name}`}>
        {name}
      </button>
      <section id="account" popover="auto" aria-label="Account">
        <h2>{name}</h2>
        <dl>
          <dt>Identity</dt>
          <dd>{caller.identity}</dd>
          {caller.tenant && (
            <>
              <dt>Tenant</dt>
              <dd>{caller.tenant}</dd>
            </>
          )}
        </dl>
        <button onClick={logOut}>Log out</button>
        <details>
          <summary>Permissions: {caller.permissions.length}</summary>
          <p>{caller.permissions.join(", ")}</p>
        </details>
      </section>
    </>
  );
}
