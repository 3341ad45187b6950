// Elements and announcements. Text is only ever set as text, never as HTML.

/** Return a new element. A property that begins with "on" is an event listener, and null leaves an attribute out. */
export function element(tag, properties = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (value === true) made.setAttribute(name, "");
    else if (value !== null && value !== undefined && value !== false) made.setAttribute(name, value);
  }
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

/** Return a button. */
export function button(label, onclick, properties = {}) {
  return element("button", { type: "button", onclick, ...properties }, label);
}

/** Return a text for screen readers only. */
export function hidden(text) {
  return element("span", { class: "hidden" }, text);
}

/** Return the initial of a user in the color of that user. */
export function avatar(name) {
  const shades = { alice: 1, bob: 2, ada: 3, victor: 4 };
  return element("span", { class: `avatar shade-${shades[name] ?? 0}`, "aria-hidden": "true" }, name.slice(0, 1));
}

/** Let a screen reader say a text, after what it says now. */
export function announce(text) {
  const place = document.getElementById("announcer");
  const line = element("p", {}, text);
  place.append(line);
  // Long enough to be read, and then removed so that nobody finds old messages with the cursor.
  setTimeout(() => line.remove(), 8000);
}

/** Return the end of an id. The beginning is the time, which is nearly the same for all. */
export function short(id) {
  return `…${id.slice(-6)}`;
}
