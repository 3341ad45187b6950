import { useEffect, type KeyboardEvent, type RefObject } from "react";
import { keepDraft } from "./draft";

interface Properties {
  input: RefObject<HTMLTextAreaElement | null>;
  text: string;
  state: "ready" | "sending" | "running";
  onText: (text: string) => void;
  onSend: () => void;
  onStop: () => void;
}

export function Composer({ input, text, state, onText, onSend, onStop }: Properties) {
  useEffect(() => keepDraft(text), [text]);
  const canSend = state === "ready" && text.trim() !== "";
  const submit = () => {
    if (canSend) onSend();
  };
  const onKeyDown = (event: KeyboardEvent) => {
    // Enter also ends the composition of a character in many languages.
    if (event.key !== "Enter" || event.shiftKey || event.nativeEvent.isComposing) return;
    event.preventDefault();
    submit();
  };
  return (
    <form
      className="composer"
      onSubmit={(event) => {
        event.preventDefault();
        submit();
      }}
    >
      <label htmlFor="message" className="hidden">
        Message
      </label>
      <textarea
        id="message"
        ref={input}
        rows={1}
        value={text}
        placeholder="Write a message"
        readOnly={state === "sending"}
        aria-describedby="keys"
        autoFocus
        onChange={(event) => onText(event.target.value)}
        onKeyDown={onKeyDown}
      />
      {state === "running" ? (
        <button type="button" onClick={onStop}>
          Stop
        </button>
      ) : (
        <button type="submit" className="primary" disabled={!canSend}>
          {state === "sending" ? "Sending…" : "Send"}
        </button>
      )}
      <p id="keys" className="hint">
        Enter sends. Shift and Enter start a new line.
      </p>
    </form>
  );
}
