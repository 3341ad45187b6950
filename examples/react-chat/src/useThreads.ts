import { useCallback, useEffect, useState } from "react";
import { client } from "./api";

export interface ThreadSummary {
  id: string;
  title: string;
}

export interface Threads {
  items: ThreadSummary[] | null;
  error: unknown;
  reload: () => void;
}

const LIMIT = 50;

/** Return the latest conversations of the user. The server returns only those that the user may read. */
export function useThreads(): Threads {
  const [items, setItems] = useState<ThreadSummary[] | null>(null);
  const [error, setError] = useState<unknown>(null);
  const reload = useCallback(() => {
    search().then(
      (found) => {
        setItems(found);
        setError(null);
      },
      setError,
    );
  }, []);
  useEffect(reload, [reload]);
  return { items, error, reload };
}

async function search(): Promise<ThreadSummary[]> {
  const threads = await client.threads.search({
    limit: LIMIT,
    sortBy: "updated_at",
    sortOrder: "desc",
    // Without the messages.
    select: ["thread_id", "metadata"],
  });
  return threads.map(({ thread_id, metadata }) => ({
    id: thread_id,
    title: typeof metadata?.["title"] === "string" ? metadata["title"] : "Untitled",
  }));
}
