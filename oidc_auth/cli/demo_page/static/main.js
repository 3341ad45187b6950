// The page: two panels with their own sessions, and the feed of decisions.

import { element } from "./dom.js";
import { Feed } from "./feed.js";
import { Panel } from "./panel.js";
import { Provider } from "./session.js";

/** The threads of both panels, so that each can offer those of the other. */
class SharedThreads {
  constructor() {
    this.known = new Map();
    this.listeners = new Set();
  }

  set(panel, owner, threads) {
    this.known.set(panel, { owner, threads });
    this.listeners.forEach((listener) => listener());
  }

  /** Return the newest thread of each other panel's user, unless the panel has it already. */
  othersOf(panel, known) {
    return [...this.known]
      .filter(([number]) => number !== panel)
      .flatMap(([, { owner, threads }]) =>
        threads.filter((each) => each.metadata.owner === owner).map((thread) => ({ owner, thread })),
      )
      .filter(({ thread }) => !known.has(thread.thread_id))
      .slice(0, 1);
  }

  follow(listener) {
    this.listeners.add(listener);
    listener();
    return () => this.listeners.delete(listener);
  }
}

async function start() {
  const setup = await (await fetch("setup")).json();
  const feed = new Feed(setup.decisions);
  feed.start();
  const provider = await Provider.load(setup);
  const shared = new SharedThreads();
  const panels = [1, 2].map((number) => new Panel(number, { provider, feed, shared }));
  const login = await provider.finishLogin();
  if (login?.session) panels[login.panel - 1].stored = { session: login.session };
  panels.forEach((panel) => panel.remember({}));
  await Promise.all(
    panels.map((panel) => panel.show(panel.number === login?.panel ? { error: login.error, isNew: true } : {})),
  );
}

start().catch((error) => {
  console.error(error);
  document
    .getElementById("panel-1")
    .replaceChildren(
      element("p", { class: "problem", role: "alert" }, "The demo does not answer. Start it again: oidc-auth demo"),
    );
});
