// One browser: its login, its user, and the tabs.

import { send } from "./api.js";
import { Chat } from "./chat.js";
import { announce, avatar, button, element } from "./dom.js";
import { renderClaims, renderMatrix } from "./token.js";

export class Panel {
  constructor(number, { provider, feed, shared }) {
    this.number = number;
    this.provider = provider;
    this.feed = feed;
    this.shared = shared;
    this.node = document.getElementById(`panel-${number}`);
    this.key = `demo.panel.${number}`;
    this.stored = JSON.parse(sessionStorage.getItem(this.key)) ?? {};
  }

  get session() {
    return this.stored.session;
  }

  remember(values) {
    this.stored = { ...this.stored, ...values };
    sessionStorage.setItem(this.key, JSON.stringify(this.stored));
  }

  /** Show the panel for the stored session, or the login. */
  async show({ error, isNew } = {}) {
    if (!this.session) {
      this.showLogin(error);
      return;
    }
    const [who, why] = await Promise.all([
      send(this.session.access, "GET", "/auth/whoami"),
      send(this.session.access, "GET", "explain"),
    ]);
    if (who.status !== 200) {
      this.showLogin(`The server refused the token: ${who.body?.detail ?? who.status}`);
      return;
    }
    this.user = who.body;
    this.showUser(why.body);
    await this.chat.load(this.stored.thread);
    if (isNew) {
      this.node.querySelector("h2").focus({ preventScroll: true });
      this.node.scrollIntoView();
      announce(`Browser ${this.number} is logged in as ${this.user.identity}.`);
    }
  }

  showLogin(error) {
    this.forget();
    const users = Object.entries(this.provider.setup.users).map(([name, about]) =>
      element(
        "li",
        {},
        avatar(name),
        element("span", {}, element("strong", {}, name), element("span", { class: "about" }, about)),
      ),
    );
    const login = button("Log in", () => this.provider.startLogin(this.number), {
      class: "primary",
      "aria-describedby": `panel-${this.number}-users`,
    });
    this.node.replaceChildren(
      element("div", { class: "panel-head" }, this.title(`Browser ${this.number}`)),
      element(
        "div",
        { class: "welcome" },
        error ? element("p", { class: "problem", role: "alert" }, error) : null,
        login,
        element(
          "p",
          { id: `panel-${this.number}-users` },
          "The page of the local OpenID provider lets you choose a user:",
        ),
        element("ul", { class: "users" }, ...users),
      ),
    );
  }

  title(...children) {
    return element("h2", { id: `panel-${this.number}-title`, tabindex: "-1" }, ...children);
  }

  showUser(explanation) {
    const { identity, tenant } = this.user;
    const roles = explanation.rows.filter((row) => row.claim === "roles").map((row) => row.value);
    this.chat?.close();
    this.chat = new Chat(this, this.feed, this.shared);
    this.revokeButton = button("Revoke session", () => this.revoke(), { class: "danger" });
    this.notice = element("div", { class: "notice", hidden: true });
    this.node.replaceChildren(
      element(
        "div",
        { class: "panel-head" },
        avatar(identity),
        this.title(identity, element("span", { class: "about" }, ` ${roles.join(", ")} of ${tenant ?? "no tenant"}`)),
        element(
          "div",
          { class: "actions" },
          this.revokeButton,
          button("Switch user", () => this.leave()),
        ),
      ),
      this.notice,
      ...this.tabs({
        Chat: this.chat.node,
        Permissions: element("div", { class: "wide", tabindex: "0" }, renderMatrix(this.user)),
        Token: element("div", { class: "wide", tabindex: "0" }, renderClaims(explanation)),
      }),
    );
  }

  /** Return a list of tabs and their contents. Arrow keys move between tabs (WAI-ARIA Authoring Practices). */
  tabs(contents) {
    const id = (kind, name) => `panel-${this.number}-${kind}-${name.toLowerCase()}`;
    const names = Object.keys(contents);
    const tabs = names.map((name) =>
      element(
        "button",
        {
          type: "button",
          role: "tab",
          id: id("tab", name),
          "aria-controls": id("content", name),
          onclick: () => select(name),
        },
        name,
      ),
    );
    const bodies = names.map((name) =>
      element(
        "div",
        { class: "scroll", role: "tabpanel", id: id("content", name), "aria-labelledby": id("tab", name) },
        contents[name],
      ),
    );
    const select = (wanted) => {
      names.forEach((name, index) => {
        tabs[index].setAttribute("aria-selected", String(name === wanted));
        tabs[index].tabIndex = name === wanted ? 0 : -1;
        bodies[index].hidden = name !== wanted;
      });
      this.remember({ tab: wanted });
    };
    const onkeydown = (event) => {
      const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      if (!step) return;
      const index = (tabs.indexOf(document.activeElement) + step + tabs.length) % tabs.length;
      select(names[index]);
      tabs[index].focus();
    };
    select(names.includes(this.stored.tab) ? this.stored.tab : names[0]);
    return [
      element("div", { role: "tablist", "aria-label": `Views of ${this.user.identity}`, onkeydown }, ...tabs),
      ...bodies,
    ];
  }

  /** End the session at the provider. The token is kept, to show that the server refuses it. */
  async revoke() {
    this.revokeButton.disabled = true;
    try {
      await this.provider.endSession(this.session);
      const answer = await send(this.session.access, "GET", "/auth/whoami");
      if (answer.status === 401) this.onRefused(answer);
      else this.showNotice("The provider ended the session.", "But the server still accepts its token.");
    } catch {
      this.revokeButton.disabled = false;
      this.showNotice("The provider did not answer.", "Is the demo still running?");
    }
  }

  /** Show that the server refused the token. */
  onRefused({ body }) {
    const detail = String(body?.detail ?? "");
    const title = detail.startsWith("token_revoked") ? "The session is revoked." : "The token is not valid.";
    this.showNotice(title, `The server answers 401 to its token: ${detail}.`);
  }

  showNotice(title, text) {
    this.notice.replaceChildren(
      element("p", {}, element("strong", {}, title), ` ${text}`),
      button("Log in again", () => this.leave(), { class: "primary" }),
    );
    this.notice.hidden = false;
    this.chat.scrollToEnd();
    announce(`${this.user.identity}: ${title} ${text}`);
  }

  leave() {
    this.showLogin();
    this.node.querySelector("button").focus();
  }

  forget() {
    this.chat?.close();
    this.chat = null;
    this.stored = {};
    sessionStorage.removeItem(this.key);
    this.shared.set(this.number, "", []);
  }
}
