// The threads of the user, and the field to open any thread by its id.

import { announce, button, element, hidden, short } from "./dom.js";

export class ThreadList {
  /**
   * @param panel has the number and the user.
   * @param shared has the threads of the other panel.
   * @param actions has `open`, `openById` and `startNew`.
   */
  constructor(panel, shared, actions) {
    this.panel = panel;
    this.shared = shared;
    this.actions = actions;
    this.found = [];
    this.list = element("ul", { class: "threads" });
    this.suggestions = element("div", { class: "suggestions" });
    const id = `panel-${panel.number}-foreign`;
    this.foreign = element("input", {
      id,
      type: "text",
      autocomplete: "off",
      spellcheck: "false",
      placeholder: "Id of any thread",
    });
    const opener = element(
      "form",
      { class: "row", onsubmit: (event) => this.submit(event) },
      element("label", { for: id, class: "label" }, "Open a thread by its id"),
      this.foreign,
      element("button", { type: "submit" }, "Open"),
    );
    const head = element(
      "div",
      { class: "row spread" },
      element("h3", {}, "Threads"),
      button("New thread", actions.startNew),
    );
    this.node = element("fieldset", {}, head, this.list, opener, this.suggestions);
    this.unfollow = shared.follow(() => this.showSuggestions());
  }

  /** Show threads. One of them may be open. */
  show(found, openId) {
    this.found = found;
    const items = found.map((thread) => this.render(thread, thread.thread_id === openId));
    const none = element("li", { class: "empty" }, "No threads yet. The first message starts one.");
    this.list.replaceChildren(...(items.length ? items : [none]));
    this.shared.set(this.panel.number, this.panel.user.identity, found);
  }

  render(thread, isOpen) {
    const { owner, title = "untitled" } = thread.metadata;
    const open = element(
      "button",
      {
        type: "button",
        class: "thread",
        "aria-current": isOpen ? "true" : null,
        onclick: () => this.actions.open(thread.thread_id),
      },
      element("span", { class: "thread-title" }, title),
      element("span", { class: "thread-owner" }, owner === this.panel.user.identity ? "own" : `of ${owner}`),
      element("code", {}, short(thread.thread_id)),
    );
    const label = element("span", {}, "Copy id");
    const copy = button(label, () => this.copy(thread.thread_id, label));
    copy.append(hidden(` of ${title}`));
    return element("li", {}, open, copy);
  }

  async copy(id, label) {
    try {
      await navigator.clipboard.writeText(id);
      label.textContent = "Copied";
      announce("The id is copied.");
    } catch {
      // A browser may refuse. The id can be copied from the field.
      this.foreign.value = id;
      this.foreign.select();
    }
    setTimeout(() => (label.textContent = "Copy id"), 2000);
  }

  /** Offer the threads of the other panel that are not in this list. */
  showSuggestions() {
    const known = new Set(this.found.map((each) => each.thread_id));
    const others = this.shared.othersOf(this.panel.number, known);
    this.suggestions.replaceChildren(
      ...others.map(({ owner, thread }) =>
        button(`Try to open “${thread.metadata.title ?? "untitled"}” of ${owner}`, () => this.open(thread.thread_id), {
          class: "small",
        }),
      ),
    );
  }

  submit(event) {
    event.preventDefault();
    this.open(this.foreign.value.trim());
  }

  open(id) {
    this.foreign.value = id;
    if (id) this.actions.openById(id);
    else this.foreign.focus();
  }
}
