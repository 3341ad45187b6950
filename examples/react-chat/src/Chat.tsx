import { useRef, useState, useSyncExternalStore } from "react";
import { reachability } from "./api";
import { Composer } from "./Composer";
import { forgetDraft, readDraft } from "./draft";
import { Messages } from "./Messages";
import { Notice } from "./Notice";
import { explain } from "./problems";
import { useChatStream } from "./useChatStream";

interface Properties {
  threadId: string | null;
  onThreadId: (id: string | null) => void;
  /** A conversation is new, or it has a new message. */
  onChange: () => void;
}

export function Chat({ threadId, onThreadId, onChange }: Properties) {
  const [text, setText] = useState(readDraft);
  const input = useRef<HTMLTextAreaElement>(null);
  const chat = useChatStream({
    threadId,
    onThreadId,
    onSent: () => {
      // Only now, so that a refused or lost message stays in the field.
      setText("");
      forgetDraft();
      onChange();
    },
    onFinish: onChange,
  });
  const isReachable = useSyncExternalStore(reachability.subscribe, reachability.get);
  const problem = chat.isRunning ? null : explain(chat.error);
  const focus = () => input.current?.focus();
  return (
    <main className="chat">
      <Messages
        messages={chat.messages}
        isNew={threadId === null && chat.messages.length === 0}
        isLoading={chat.isLoading}
        isRunning={chat.isRunning && !chat.isSending}
      />
      <div className="below">
        {chat.isRunning && !isReachable && (
          <p role="status" className="hint">
            The connection is lost. Trying to connect again…
          </p>
        )}
        {problem && (
          <Notice problem={problem}>
            {problem.canRetry && (
              <button
                className="primary"
                onClick={() => {
                  focus();
                  chat.retry();
                }}
              >
                Try again
              </button>
            )}
            {problem.kind === "missing" && (
              <button className="primary" onClick={() => onThreadId(null)}>
                New conversation
              </button>
            )}
          </Notice>
        )}
        <Composer
          key={threadId === null ? "new" : "open"}
          input={input}
          text={text}
          state={chat.isSending ? "sending" : chat.isRunning ? "running" : "ready"}
          onText={setText}
          onSend={() => chat.send(text)}
          onStop={() => {
            focus();
            chat.stop();
          }}
        />
      </div>
    </main>
  );
}
