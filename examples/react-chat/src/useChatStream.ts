import type { Message } from "@langchain/langgraph-sdk";
import { useStream } from "@langchain/langgraph-sdk/react";
import { useEffect, useRef, useState } from "react";
import { client, type ChatState } from "./api";
import { TOKEN_REVOKED } from "./followRuns";
import { endSession } from "./session";
import { settings } from "./settings";
import { useThread } from "./useThread";

/** The last message of the user. */
interface Outgoing {
  message: Message;
  /** The server has it. */
  isSent: boolean;
}

interface Options {
  threadId: string | null;
  onThreadId: (id: string) => void;
  /** The server has the message. */
  onSent: () => void;
  onFinish: () => void;
}

/** The messages and runs of a conversation. */
export function useChatStream({ threadId, onThreadId, onSent, onFinish }: Options) {
  // The thread that the first message created. Its state need not be loaded.
  const [created, setCreated] = useState<string | null>(null);
  const [outgoing, setOutgoing] = useState<Outgoing | null>(null);
  const run = useRef<string | null>(null);
  const thread = useThread(threadId === created ? null : threadId);

  useEffect(() => {
    if (threadId === created) return;
    setCreated(null);
    setOutgoing(null);
    run.current = null;
  }, [threadId, created]);

  const stream = useStream<ChatState>({
    client,
    assistantId: settings.assistantId,
    threadId,
    thread,
    onThreadId: (id) => {
      setCreated(id);
      onThreadId(id);
    },
    // The run continues when its stream ends. This page joins it again, also after a reload.
    reconnectOnMount: true,
    throttle: true,
    onCreated: ({ run_id }) => {
      run.current = run_id;
      setOutgoing((now) => now && { ...now, isSent: true });
      onSent();
    },
    onError: (_error, failed) => {
      run.current = failed?.run_id ?? null;
    },
    onFinish: () => onFinish(),
    // Keep what the user has seen.
    onStop: ({ mutate }) => mutate({ messages }),
  });
  useEffect(() => {
    if (stream.error instanceof Error && stream.error.name === TOKEN_REVOKED) void endSession({ kind: "revoked" });
  }, [stream.error]);

  // The server sends it back when the run starts, which can take a second.
  const isMissing = outgoing?.isSent && !stream.messages.some(({ id }) => id === outgoing.message.id);
  const messages = isMissing ? [...stream.messages, outgoing.message] : stream.messages;

  const submit = (message: Message) => {
    setOutgoing({ message, isSent: false });
    run.current = null;
    return stream.submit({ messages: [message] }, { metadata: { title: title(String(message.content)) } });
  };
  const retry = () => {
    if (outgoing && !outgoing.isSent) void submit(outgoing.message);
    else if (run.current) void stream.joinStream(run.current);
    else void thread.mutate(threadId ?? undefined);
  };
  return {
    messages,
    error: stream.error,
    isLoading: stream.isThreadLoading,
    isRunning: stream.isLoading,
    isSending: stream.isLoading && outgoing?.isSent === false,
    send: (text: string) => void submit({ id: crypto.randomUUID(), type: "human", content: text }),
    retry,
    stop: () => void stream.stop(),
  };
}

const TITLE_LENGTH = 60;

function title(text: string): string {
  const line = text.trim().split("\n")[0] ?? "";
  return line.length > TITLE_LENGTH ? `${line.slice(0, TITLE_LENGTH - 1)}…` : line;
}
