import type { ThreadState } from "@langchain/langgraph-sdk";
import type { UseStreamThread } from "@langchain/langgraph-sdk/react";
import { useCallback, useEffect, useState } from "react";
import { client, type ChatState } from "./api";

type States = ThreadState<ChatState>[];

interface Loaded {
  threadId: string;
  data: States | null;
  error: unknown;
}

/** Remove the errors of tasks that the user has stopped. They are no problem to show. */
function withoutCancellations(state: States[number]): States[number] {
  const tasks = state.tasks.map((task) => (task.error?.startsWith(CANCELED) ? { ...task, error: null } : task));
  return { ...state, tasks };
}

const CANCELED = "CancelledError";

/**
 * Load the last state of a thread.
 *
 * `useStream` can do this too. But then it cannot be repeated after an error.
 */
export function useThread(threadId: string | null): UseStreamThread<ChatState> {
  const [loaded, setLoaded] = useState<Loaded | null>(null);
  const mutate = useCallback(async (id?: string): Promise<States | null> => {
    if (!id) return null;
    try {
      const state = await client.threads.getState<ChatState>(id);
      const data = state.checkpoint ? [withoutCancellations(state)] : [];
      setLoaded({ threadId: id, data, error: null });
      return data;
    } catch (error) {
      setLoaded({ threadId: id, data: null, error });
      return null;
    }
  }, []);
  useEffect(() => {
    if (threadId) void mutate(threadId);
  }, [threadId, mutate]);

  // A late answer for another thread is not shown.
  const current = loaded?.threadId === threadId ? loaded : null;
  return { data: current?.data, error: current?.error, isLoading: threadId !== null && current === null, mutate };
}
