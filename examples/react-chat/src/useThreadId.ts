import { useCallback, useEffect, useState } from "react";

const PARAMETER = "thread";

const read = () => new URLSearchParams(window.location.search).get(PARAMETER);

/** Return the conversation of the address, and a function that opens another one. The back button works. */
export function useThreadId(): [string | null, (id: string | null) => void] {
  const [threadId, setThreadId] = useState(read);
  useEffect(() => {
    const update = () => setThreadId(read());
    window.addEventListener("popstate", update);
    return () => window.removeEventListener("popstate", update);
  }, []);
  const open = useCallback((id: string | null) => {
    if (id === read()) return;
    const search = id ? `?${new URLSearchParams({ [PARAMETER]: id })}` : "";
    window.history.pushState(null, "", `${window.location.pathname}${search}`);
    setThreadId(id);
  }, []);
  return [threadId, open];
}
