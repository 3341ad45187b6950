/** Streams that continue after their token has expired. */
import type { Client } from "@langchain/langgraph-sdk";

/** What a server with `stream_expiry = "close"` sends as the last event of a stream. */
export const TOKEN_EXPIRED = "token_expired";
export const TOKEN_REVOKED = "token_revoked";

const BEGINNING = "-1";

export interface Part {
  id?: string | undefined;
  event: string;
  data: unknown;
}

interface Payload {
  signal?: AbortSignal;
  onRunCreated?: (run: { run_id: string; thread_id?: string }) => void;
}

type Stream = (threadId: string, assistantId: string, payload?: Payload) => AsyncGenerator<Part>;

/**
 * Let the streams of a client continue after their token has expired.
 *
 * The server ends such a stream, and the run continues. The next request has a new token and the ID of the last event.
 * So no event is lost or repeated. The run must be resumable, which `reconnectOnMount` of `useStream` sets.
 */
export function followRuns<State>({ runs }: Client<State>): void {
  const stream = runs.stream.bind(runs) as unknown as Stream;
  const join = runs.joinStream.bind(runs);

  runs.joinStream = (threadId, runId, options) => {
    const given = options instanceof AbortSignal ? { signal: options } : options;
    return continued(join(threadId, runId, given), (lastEventId) => join(threadId, runId, { ...given, lastEventId }));
  };

  const start: Stream = (threadId, assistantId, payload = {}) => {
    const { signal } = payload;
    let runId: string | undefined;
    const onRunCreated: Payload["onRunCreated"] = (run) => {
      runId = run.run_id;
      payload.onRunCreated?.(run);
    };
    return continued<Part>(stream(threadId, assistantId, { ...payload, onRunCreated }), (lastEventId) =>
      // Without the ID of the run, the error reaches the caller.
      runId ? join(threadId, runId, { lastEventId, ...(signal && { signal }) }) : null,
    );
  };
  runs.stream = start as unknown as typeof runs.stream;
}

/** Yield the parts of a stream and of those that continue it. */
export async function* continued<T extends Part>(
  first: AsyncIterable<T>,
  next: (lastEventId: string) => AsyncIterable<T> | null,
): AsyncGenerator<T> {
  let lastEventId = BEGINNING;
  for (let parts: AsyncIterable<T> | null = first; parts; ) {
    let following: AsyncIterable<T> | null = null;
    for await (const part of parts) {
      following = isExpiry(part) ? next(lastEventId) : null;
      if (following) break;
      lastEventId = part.id ?? lastEventId;
      yield part;
    }
    parts = following;
  }
}

function isExpiry({ event, data }: Part): boolean {
  return event === "error" && (data as { error?: unknown } | null)?.error === TOKEN_EXPIRED;
}
