// Access tokens with the claims of other providers. Each function changes the header and the payload before they are
// signed. Names and types of claims are those of the documentation in its comment. The signature, the key set and the
// login are those of this provider.

function rename(payload, from, to) {
  if (payload[from] !== undefined) payload[to] = payload[from];
  delete payload[from];
}

// This provider omits openid from access tokens. The others repeat it.
function withOpenid(scope) {
  return scope ? `openid ${scope}` : 'openid';
}

// oidc-provider refuses a token without an audience, but accepts one that JSON omits.
function hide(payload, name) {
  Object.defineProperty(payload, name, { enumerable: false });
}

function auth0User({ iss, aud, scope }) {
  return { aud: [aud, `${iss}userinfo`], scope: withOpenid(scope) };
}

// Entra: learn.microsoft.com, "Access token claims reference". Scopes (scp) are a user's only; a machine has app roles.
function entra(jwt, isMachine, { version, client }) {
  const { payload } = jwt;
  jwt.header = { typ: 'JWT' };
  rename(payload, 'client_id', client);
  rename(payload, 'jti', 'uti');
  rename(payload, 'scope', 'scp');
  if (isMachine) delete payload.scp;
  Object.assign(payload, { ver: version, nbf: payload.iat });
}

export const SHAPES = {
  // auth0.com/docs, "Access Token Profiles", the profile named Auth0: the client is azp, there is no jti, and a login
  // with openid puts the userinfo endpoint beside the API.
  auth0(jwt, isMachine) {
    const { payload } = jwt;
    jwt.header = { typ: 'JWT' };
    delete payload.jti;
    rename(payload, 'client_id', 'azp');
    if (isMachine) Object.assign(payload, { sub: `${payload.sub}@clients`, gty: 'client-credentials' });
    else Object.assign(payload, auth0User(payload));
  },

  // The same page, the profile named RFC 9068: typ at+jwt, client_id and jti, as the library issues them anyway.
  auth0_rfc9068({ payload }, isMachine) {
    if (isMachine) payload.sub = `${payload.sub}@clients`;
    else Object.assign(payload, auth0User(payload));
  },

  // developer.okta.com, "Validate access tokens": scp is a list, the client is cid, the header has no typ; a user's uid
  // comes with the account, and a machine has none.
  okta(jwt, isMachine) {
    const { payload } = jwt;
    jwt.header = { typ: undefined };
    payload.scp = (isMachine ? payload.scope : withOpenid(payload.scope)).split(' ');
    delete payload.scope;
    rename(payload, 'client_id', 'cid');
    Object.assign(payload, { ver: 1, jti: `AT.${payload.jti}` });
  },

  entra_v2: (jwt, isMachine) => entra(jwt, isMachine, { version: '2.0', client: 'azp' }),

  // The version for an API that did not select version 2. It has another issuer.
  entra_v1(jwt, isMachine) {
    entra(jwt, isMachine, { version: '1.0', client: 'appid' });
    jwt.header.x5t = 'thumbprint-of-a-certificate';
  },

  // docs.aws.amazon.com, "Understanding the access token": no aud, and token_use tells the tokens apart.
  cognito(jwt, isMachine) {
    const { payload } = jwt;
    jwt.header = { typ: undefined };
    hide(payload, 'aud');
    Object.assign(payload, { token_use: 'access', version: 2, auth_time: payload.iat });
    if (!isMachine) Object.assign(payload, { username: payload.sub, scope: withOpenid(payload.scope) });
  },
};

// Claims that a provider adds to its ID tokens.
export const ID_CLAIMS = { cognito: { token_use: 'id' } };
