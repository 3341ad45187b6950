// Requests to the LangGraph server, with the access token of one panel.

/** Send a request and return status and body. */
export async function send(token, method, path, body) {
  const answer = await fetch(path, { method, headers: headersFor(token), body: body && JSON.stringify(body) });
  return { status: answer.status, body: parse(await answer.text()) };
}

/**
 * Send a request whose answer is a stream of events, and call `onEvent(name, data)` for each one.
 * Return status and body of an answer that is no stream.
 */
export async function stream(token, path, body, onEvent, signal) {
  const options = { method: "POST", headers: headersFor(token), body: JSON.stringify(body), signal };
  const answer = await fetch(path, options);
  if (!answer.ok) return { status: answer.status, body: parse(await answer.text()) };
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return { status: answer.status, body: null };
    // A line ends with CRLF here. The other two ways to end a line are not used by this server.
    const events = (rest + value).split("\r\n\r\n");
    rest = events.pop();
    events.map(readEvent).forEach(({ name, data }) => data && onEvent(name, parse(data)));
  }
}

function headersFor(token) {
  return { authorization: `Bearer ${token}`, "content-type": "application/json" };
}

function readEvent(text) {
  const found = { name: "message", data: "" };
  for (const line of text.split("\r\n")) {
    if (line.startsWith("event: ")) found.name = line.slice(7);
    if (line.startsWith("data: ")) found.data += line.slice(6);
  }
  return found;
}

function parse(text) {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
