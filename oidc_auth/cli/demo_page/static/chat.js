// The tab with the threads of the user and a conversation.

import { send, stream } from "./api.js";
import { announce, avatar, element } from "./dom.js";
import { badge } from "./feed.js";
import { renderResult, statusBadge, statusText } from "./result.js";
import { ThreadList } from "./threads.js";

/** Threads of this page. The requests of the terminal table made others. */
const OURS = { page: "demo" };

export class Chat {
  /**
   * @param panel has `number`, `user` and `session`, and is told about a refused token with `onRefused`.
   * @param feed has the decisions.
   * @param shared tells the panels which threads the others have.
   */
  constructor(panel, feed, shared) {
    this.panel = panel;
    this.feed = feed;
    this.thread = null;
    this.closed = new AbortController();
    this.threads = new ThreadList(panel, shared, {
      open: (id) => this.open(id),
      openById: (id) => this.openById(id),
      startNew: () => this.startNew(),
    });
    this.result = element("div", { class: "result" });
    this.log = element("div", {
      class: "log",
      role: "region",
      "aria-label": `Conversation in browser ${panel.number}`,
      tabindex: "0",
    });
    this.node = element("div", { class: "chat" }, this.threads.node, this.result, this.log, this.buildComposer());
  }

  buildComposer() {
    const id = `panel-${this.panel.number}-text`;
    this.text = element("input", {
      id,
      type: "text",
      autocomplete: "off",
      maxlength: "500",
      placeholder: "Write a message",
    });
    this.sendButton = element("button", { type: "submit", class: "primary" }, "Send");
    const label = element("label", { for: id, class: "hidden" }, "Message");
    return element(
      "form",
      { class: "row composer", onsubmit: (event) => this.submit(event) },
      label,
      this.text,
      this.sendButton,
    );
  }

  /** Stop everything, because another user comes. */
  close() {
    this.threads.unfollow();
    this.closed.abort();
  }

  async request(method, path, body) {
    const answer = await send(this.panel.session.access, method, path, body);
    if (answer.status === 401) this.panel.onRefused(answer);
    return answer;
  }

  /** Show the threads again, and open one of them. */
  async load(threadId) {
    const decided = this.nextDecision((entry) => entry.event === "threads:search");
    const answer = await this.request("POST", "/threads/search", { metadata: OURS, limit: 20 });
    const found = answer.status === 200 ? answer.body : [];
    this.threads.show(found, threadId);
    if (found.some((each) => each.thread_id === threadId)) await this.open(threadId);
    else this.show(null);
    if (answer.status === 403) this.showResult("POST", "/threads/search", answer, decided);
  }

  /** Show a thread as the open one, or none. */
  show(thread) {
    this.thread = thread;
    this.result.replaceChildren();
    this.threads.show(this.threads.found, thread?.thread_id);
    const messages = thread?.values?.messages ?? [];
    const none = element("p", { class: "empty" }, "Send a message. A small graph without a model answers slowly.");
    const shown = messages.map((message) => this.renderMessage(message.role, message.content));
    this.log.replaceChildren(...(shown.length ? shown : [none]));
    this.scrollToEnd();
  }

  scrollToEnd() {
    this.log.scrollTop = this.log.scrollHeight;
  }

  startNew() {
    this.show(null);
    this.text.focus();
  }

  async open(id) {
    const { status, body } = await this.request("GET", `/threads/${encodeURIComponent(id)}`);
    if (status !== 200) return;
    this.panel.remember({ thread: id });
    this.show(body);
  }

  /** Open any thread, and show what the server answered and decided. */
  async openById(id) {
    const path = `/threads/${encodeURIComponent(id)}`;
    const decided = this.nextDecision((entry) => entry.ids.thread_id === id);
    const answer = await this.request("GET", path);
    if (answer.status === 200) await this.load(id);
    const decision = await this.showResult("GET", path, answer, decided);
    if (decision) this.feed.annotate(decision, statusBadge(answer.status));
  }

  /** Return the next decision about this user that fits. */
  nextDecision(fits) {
    return this.feed.next((entry) => entry.identity === this.panel.user.identity && fits(entry));
  }

  /** Show an answer, and then the decision, which may arrive later. */
  async showResult(method, path, answer, decided) {
    const shown = renderResult(method, path, answer, null);
    this.result.replaceChildren(shown);
    this.result.scrollIntoView({ block: "nearest" });
    announce(`${statusText(answer.status)}. ${answer.body?.detail ?? ""}`);
    const decision = await decided;
    if (decision && shown.isConnected) {
      shown.replaceWith(renderResult(method, path, answer, decision));
      this.result.scrollIntoView({ block: "nearest" });
    }
    return decision;
  }

  renderMessage(role, content) {
    const isOwn = role === "user";
    // An administrator can read the thread of another user.
    const author = isOwn ? (this.thread?.metadata.owner ?? this.panel.user.identity) : "graph";
    return element(
      "div",
      { class: isOwn ? "message own" : "message" },
      element("span", { class: "author" }, isOwn ? avatar(author) : null, author),
      element("p", {}, content),
    );
  }

  /** Send the message and show the answer while it is written. */
  async submit(event) {
    event.preventDefault();
    const text = this.text.value.trim();
    if (this.isBusy || !text) {
      this.text.focus();
      return;
    }
    this.setBusy(true);
    try {
      if (this.thread || (await this.createThread(text))) await this.run(text);
    } catch {
      this.log.append(element("p", { class: "ending" }, "The connection was lost."));
    }
    this.setBusy(false);
  }

  setBusy(isBusy) {
    this.isBusy = isBusy;
    // Another thread must not replace the conversation that is being written.
    this.threads.node.disabled = isBusy;
    this.sendButton.disabled = isBusy;
    this.sendButton.textContent = isBusy ? "Answering …" : "Send";
  }

  async createThread(text) {
    const decided = this.nextDecision((entry) => entry.event === "threads:create");
    const answer = await this.request("POST", "/threads", { metadata: { ...OURS, title: text.slice(0, 40) } });
    if (answer.status !== 200) {
      this.showResult("POST", "/threads", answer, decided);
      return false;
    }
    this.threads.found = [answer.body, ...this.threads.found];
    this.panel.remember({ thread: answer.body.thread_id });
    this.show(answer.body);
    return true;
  }

  async run(text) {
    const path = `/threads/${this.thread.thread_id}/runs/stream`;
    const decided = this.nextDecision((entry) => entry.event === "threads:create_run");
    const reply = this.renderMessage("assistant", "");
    reply.classList.add("writing");
    this.log.querySelector(".empty")?.remove();
    this.log.append(this.renderMessage("user", text), reply);
    this.text.value = "";
    const { answer, fault } = await this.readAnswer(path, text, reply.querySelector("p"));
    reply.classList.remove("writing");
    if (fault) this.showEnd(reply, fault);
    else if (answer.status === 200) await this.load(this.thread.thread_id);
    else {
      reply.remove();
      this.showResult("POST", path, answer, decided);
      if (answer.status === 401) this.panel.onRefused(answer);
    }
  }

  /** Stream a run, and write its words into an element. Return the answer, and the error that ended the stream. */
  async readAnswer(path, text, words) {
    const input = { messages: [{ role: "user", content: text }] };
    // The run must not go on for a user whose session has ended.
    const body = { assistant_id: "chat", input, stream_mode: ["custom"], on_disconnect: "cancel" };
    let fault = null;
    const onEvent = (name, data) => {
      if (name === "custom") words.append(data.word);
      if (name === "error") fault = data;
      this.scrollToEnd();
    };
    const answer = await stream(this.panel.session.access, path, body, onEvent, this.closed.signal);
    if (answer.status === 200 && !fault) announce(`The graph answered: ${words.textContent}`);
    return { answer, fault };
  }

  showEnd(reply, fault) {
    const code = element("code", {}, fault.error ?? "error");
    reply.append(
      element("p", { class: "ending" }, badge("closed"), " The stream ended with ", code, `: ${fault.message}.`),
    );
    this.scrollToEnd();
    announce(`The stream of ${this.panel.user.identity} ended with ${fault.error}.`);
  }
}
