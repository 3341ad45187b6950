import type { Message } from "@langchain/langgraph-sdk";
import { useEffect, useRef } from "react";

interface Properties {
  messages: Message[];
  /** The conversation has no message yet. */
  isNew: boolean;
  isLoading: boolean;
  isRunning: boolean;
}

/** The messages of a conversation. A new part scrolls into view, unless the user has scrolled up. */
export function Messages({ messages, isNew, isLoading, isRunning }: Properties) {
  const log = useRef<HTMLDivElement>(null);
  const isAtEnd = useRef(true);
  const scroll = () => {
    if (isAtEnd.current) log.current?.scrollTo({ top: log.current.scrollHeight });
  };
  useEffect(scroll, [messages, isRunning]);
  useEffect(() => {
    // A notice or a long text below makes the conversation smaller.
    const observer = new ResizeObserver(scroll);
    if (log.current) observer.observe(log.current);
    return () => observer.disconnect();
  }, []);
  return (
    <div
      ref={log}
      className="messages"
      role="log"
      aria-label="Conversation"
      // A screen reader then reads an answer when it is complete.
      aria-busy={isRunning}
      tabIndex={0}
      onScroll={({ currentTarget: { scrollTop, scrollHeight, clientHeight } }) => {
        isAtEnd.current = scrollHeight - scrollTop - clientHeight < 40;
      }}
    >
      {isLoading && <p className="hint">Loading the conversation…</p>}
      {isNew && (
        <div className="empty">
          <h2>What do you want to know?</h2>
          <p>Write a message to start a conversation.</p>
        </div>
      )}
      {messages.map((message, index) => (
        <MessageView key={message.id ?? index} message={message} />
      ))}
      {isRunning && (
        <p className="typing">
          <span className="hidden">The agent is answering.</span>
        </p>
      )}
    </div>
  );
}

const NAMES: Partial<Record<Message["type"], string>> = { human: "You", ai: "Agent" };

function MessageView({ message }: { message: Message }) {
  const text = readText(message.content);
  if (message.type === "tool") {
    return (
      <details className="tool">
        <summary>Result of {message.name ?? "a tool"}</summary>
        <pre>{text}</pre>
      </details>
    );
  }
  const name = NAMES[message.type];
  if (!name || !text) return null;
  return (
    <article className="message" data-from={message.type}>
      <h2 className="hidden">{name}</h2>
      <p>{text}</p>
    </article>
  );
}

/** Return the text of a message. React escapes it, so it cannot become HTML. */
function readText(content: Message["content"]): string {
  if (typeof content === "string") return content;
  return content.map((part) => (part.type === "text" ? part.text : "")).join("");
}
