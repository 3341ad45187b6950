import { useCallback, useEffect, useRef, useState } from "react";
import { Account } from "./Account";
import { whoami, type Caller } from "./api";
import { Waiting } from "./App";
import { Chat } from "./Chat";
import { Notice } from "./Notice";
import { explainStart } from "./problems";
import { ThreadList } from "./ThreadList";
import { useLogout } from "./useLogout";
import { useThreadId } from "./useThreadId";
import { useThreads } from "./useThreads";

/** Ask the server who the user is, then show the conversations. */
export function Workspace() {
  const [caller, setCaller] = useState<Caller | null>(null);
  const [error, setError] = useState<unknown>(null);
  const logOut = useLogout();
  const load = useCallback(() => {
    setError(null);
    whoami().then(setCaller, setError);
  }, []);
  useEffect(load, [load]);

  const problem = explainStart(error);
  if (caller) return <Conversations caller={caller} />;
  if (!problem) return <Waiting text="Connecting to the server…" />;
  return (
    <main className="page">
      <div className="card">
        <h1>Agent chat</h1>
        <Notice problem={problem}>
          {problem.canRetry && (
            <button className="primary" onClick={load} autoFocus>
              Try again
            </button>
          )}
          <button onClick={logOut}>Log out</button>
        </Notice>
      </div>
    </main>
  );
}

function Conversations({ caller }: { caller: Caller }) {
  const [threadId, setThreadId] = useThreadId();
  const threads = useThreads();
  const drawer = useRef<HTMLDialogElement>(null);
  const open = (id: string | null) => {
    drawer.current?.close();
    setThreadId(id);
  };
  const list = <ThreadList threads={threads} current={threadId} onOpen={open} />;
  return (
    <div className="workspace">
      <header>
        <button className="menu" aria-haspopup="dialog" onClick={() => drawer.current?.showModal()}>
          <span aria-hidden="true">☰</span> Conversations
        </button>
        <h1>Agent chat</h1>
        <Account caller={caller} />
      </header>
      <aside>{list}</aside>
      {/* A click on the backdrop closes it, as Escape does. */}
      <dialog
        ref={drawer}
        aria-label="Conversations"
        onClick={(event) => event.target === event.currentTarget && event.currentTarget.close()}
      >
        <div>
          {list}
          <button onClick={() => drawer.current?.close()}>Close</button>
        </div>
      </dialog>
      <Chat threadId={threadId} onThreadId={setThreadId} onChange={threads.reload} />
    </div>
  );
}
