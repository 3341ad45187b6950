// The login at the provider: authorization code flow with PKCE (RFC 7636). Each panel has its own session.
//
// The tokens are in sessionStorage, which each tab has for itself. A script in the page could read them, so the
// Content-Security-Policy allows only the files of this folder. An application for real users keeps tokens out of the
// reach of scripts, for example in its own server.

const PENDING = "demo.login";
const REDIRECT = `${location.origin}${location.pathname}`;

export class Provider {
  constructor(setup, metadata) {
    this.setup = setup;
    this.metadata = metadata;
  }

  /** Read the addresses of the provider (OpenID Connect Discovery). */
  static async load(setup) {
    const answer = await fetch(`${setup.issuer}/.well-known/openid-configuration`);
    return new Provider(setup, await answer.json());
  }

  /** Leave the page for the login page of the provider. */
  async startLogin(panel) {
    const verifier = randomText();
    const pending = { panel, verifier, state: randomText(), nonce: randomText() };
    sessionStorage.setItem(PENDING, JSON.stringify(pending));
    const query = new URLSearchParams({
      response_type: "code",
      client_id: this.setup.client_id,
      redirect_uri: REDIRECT,
      scope: "openid",
      state: pending.state,
      nonce: pending.nonce,
      code_challenge: await challengeOf(verifier),
      code_challenge_method: "S256",
      // Otherwise the second panel would get the session of the first.
      prompt: "login",
    });
    location.assign(`${this.metadata.authorization_endpoint}?${query}`);
  }

  /** Exchange the code in the address of this page. Return the panel and its session or an error, or null. */
  async finishLogin() {
    const query = new URLSearchParams(location.search);
    const pending = JSON.parse(sessionStorage.getItem(PENDING));
    if (!query.has("state")) return null;
    sessionStorage.removeItem(PENDING);
    // A code works once, so it must not stay in the address or in the history.
    history.replaceState(null, "", REDIRECT);
    // Another page could have started this login (RFC 6749 section 10.12).
    if (pending?.state !== query.get("state")) return { panel: 1, error: "The login was not started here." };
    // The answer must come from the provider that was asked (RFC 9207).
    if (query.has("iss") && query.get("iss") !== this.setup.issuer)
      return { panel: pending.panel, error: "Other issuer." };
    if (query.has("error"))
      return { panel: pending.panel, error: query.get("error_description") ?? query.get("error") };
    return { panel: pending.panel, ...(await this.exchange(query.get("code"), pending)) };
  }

  async exchange(code, { verifier, nonce }) {
    const answer = await fetch(this.metadata.token_endpoint, {
      method: "POST",
      body: new URLSearchParams({
        grant_type: "authorization_code",
        client_id: this.setup.client_id,
        redirect_uri: REDIRECT,
        code,
        code_verifier: verifier,
      }),
    });
    const tokens = await answer.json();
    if (!answer.ok) return { error: tokens.error_description ?? tokens.error };
    // The ID token must belong to this login (OpenID Connect Core section 3.1.3.7).
    if (readClaims(tokens.id_token).nonce !== nonce) return { error: "The ID token is for another login." };
    return { session: { access: tokens.access_token, id: tokens.id_token } };
  }

  /** End the session at the provider, which then tells the server (OpenID Connect Back-Channel Logout). */
  async endSession(session) {
    const body = new URLSearchParams({ id_token_hint: session.id, client_id: this.setup.client_id });
    // The answer is a page for people, which scripts may not read.
    await fetch(this.metadata.end_session_endpoint, { method: "POST", mode: "no-cors", body });
  }
}

function readClaims(token) {
  const segment = token.split(".")[1].replaceAll("-", "+").replaceAll("_", "/");
  return JSON.parse(new TextDecoder().decode(Uint8Array.from(atob(segment), (letter) => letter.charCodeAt(0))));
}

function randomText() {
  return encode(crypto.getRandomValues(new Uint8Array(32)));
}

async function challengeOf(verifier) {
  return encode(new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(verifier))));
}

function encode(bytes) {
  return btoa(String.fromCharCode(...bytes))
    .replaceAll("+", "-")
    .replaceAll("/", "_")
    .replaceAll("=", "");
}
