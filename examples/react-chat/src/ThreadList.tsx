import { explain } from "./problems";
import type { Threads } from "./useThreads";

interface Properties {
  threads: Threads;
  current: string | null;
  onOpen: (id: string | null) => void;
}

export function ThreadList({ threads, current, onOpen }: Properties) {
  const problem = explain(threads.error);
  return (
    <nav aria-label="Conversations">
      <button className="primary" onClick={() => onOpen(null)}>
        New conversation
      </button>
      {problem && (
        <p className="hint">
          {problem.title}. {problem.canRetry && <button onClick={threads.reload}>Try again</button>}
        </p>
      )}
      {threads.items?.length === 0 && <p className="hint">You have no conversations yet.</p>}
      <ul>
        {threads.items?.map(({ id, title }) => (
          <li key={id}>
            <button aria-current={id === current ? "page" : undefined} onClick={() => onOpen(id)}>
              {title}
            </button>
          </li>
        ))}
      </ul>
    </nav>
  );
}
