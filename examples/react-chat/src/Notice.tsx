import type { ReactNode } from "react";
import type { Problem } from "./problems";

/** A problem, and buttons for what the user can do. Screen readers read it immediately. */
export function Notice({ problem, children }: { problem: Problem; children?: ReactNode }) {
  return (
    <div role="alert" className="notice" data-kind={problem.kind}>
      <p className="notice-title">{problem.title}</p>
      <p>{problem.advice}</p>
      {problem.detail && <code>{problem.detail}</code>}
      {children && <div className="actions">{children}</div>}
    </div>
  );
}
