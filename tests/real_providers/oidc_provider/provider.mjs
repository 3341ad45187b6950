// A real OpenID provider on 127.0.0.1 for the test-suite, with a control port that rotates its keys.
//
//   node provider.mjs '{"path": "/realms/agents/", "alg": "RS256", "ttl": 300, "accounts": {"alice": {...}}}'
//
// Every member is optional. One line of JSON on stdout says that it is ready:
//   {"issuer": "http://127.0.0.1:PORT/realms/agents/", "address": the same, "control": "http://127.0.0.1:PORT2/"}
// With "issuer": "https://acme.eu.auth0.com/" its tokens and documents have that issuer. Its own address stays the same.
// With "shape": "okta" its access tokens have the claims of that provider (shapes.mjs).
// The control port answers GET /kids, POST /rotate {"alg": "ES256", "keep_old": false} and POST /ttl {"ttl": 60}.
import { generateKeyPairSync, randomBytes, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { text } from 'node:stream/consumers';

import Provider, { errors } from 'oidc-provider';

import { ID_CLAIMS, SHAPES } from './shapes.mjs';

// The parent reads exactly one line from stdout, and the library reports there as well.
console.log = console.info = console.error;

// The pipe closes when the parent ends for any reason, so that no provider outlives its test run.
process.stdin.resume().on('close', () => process.exit(0));

const TENANT = 'https://agents.example/tenant';
const SCOPES = 'threads:read threads:write threads:create threads:create_run assistants:read store:write';
// The second one exists so that a test can obtain a valid token for another API.
const RESOURCES = new Set(['https://agents.example/api', 'https://other.example/api']);
// Tokens for this one are encrypted: only the holder of the key can read them (Auth0's, without an audience).
// Tokens for this one are opaque: only the introspection endpoint can read them.
const OPAQUE = 'https://opaque.example/api';
const ENCRYPTED = 'https://encrypted.example/api';
const ENCRYPTION = { alg: 'dir', enc: 'A256GCM', key: randomBytes(32) };

const options = {
  issuer: null,
  path: '',
  alg: 'RS256',
  ttl: 300,
  shape: null,
  // More scopes than those above, and what a resource is called in aud.
  scopes: '',
  audiences: {},
  // Where the client "web" receives logout tokens.
  logout: null,
  // More resources than those above. A client that registers itself may ask for them.
  resources: [],
  // What MCP clients use: registration, client metadata documents by URL, refresh tokens without offline_access.
  registration: false,
  documents: {},
  refresh: false,
  // The public keys of the client api-key, which introspects tokens.
  client_keys: [],
  // The one method with which clients with a secret authenticate, or all of them.
  secret_method: null,
  // Claims of the access tokens of a user, or of a client.
  accounts: {
    alice: { roles: ['agent-user'], [TENANT]: 'acme' },
    bob: { roles: ['agent-user'], [TENANT]: 'globex' },
    victor: { roles: ['agent-viewer'], [TENANT]: 'acme' },
  },
  ...JSON.parse(process.argv[2] ?? '{}'),
};

if (options.shape && !Object.hasOwn(SHAPES, options.shape)) throw new RangeError(`no shape ${options.shape}`);
const idClaims = ID_CLAIMS[options.shape] ?? {};
const accounts = new Map(Object.entries(options.accounts));

const RSA = ['rsa', { modulusLength: 2048 }];
const KEY_TYPES = {
  RS256: RSA, RS384: RSA, RS512: RSA,
  PS256: RSA, PS384: RSA, PS512: RSA,
  ES256: ['ec', { namedCurve: 'P-256' }],
  ES384: ['ec', { namedCurve: 'P-384' }],
  ES512: ['ec', { namedCurve: 'P-521' }],
  EdDSA: ['ed25519', {}],
  Ed25519: ['ed25519', {}],
};

function newKey(alg) {
  if (!Object.hasOwn(KEY_TYPES, alg)) throw new RangeError(`alg must be one of ${Object.keys(KEY_TYPES)}`);
  const { privateKey } = generateKeyPairSync(...KEY_TYPES[alg]);
  // Readable in a failing test, and still different between two providers.
  const kid = `${alg}-${randomUUID().slice(0, 8)}`;
  return { ...privateKey.export({ format: 'jwk' }), kid, alg, use: 'sig' };
}

// Sessions must survive a rotation, which makes a new Provider.
const cookieKeys = [randomBytes(32).toString('hex')];

function newProvider(issuer, keys) {
  // The library signs with the first key of this algorithm.
  const { alg } = keys[0];
  const provider = new Provider(issuer, {
    jwks: { keys },
    cookies: { keys: cookieKeys },
    // The library's default, RS256, is refused once no RSA key is left.
    clientDefaults: {
      id_token_signed_response_alg: alg,
      ...(options.secret_method && { token_endpoint_auth_method: options.secret_method }),
    },
    ...(options.secret_method && { clientAuthMethods: ['none', options.secret_method] }),
    enabledJWA: { idTokenSigningAlgValues: Object.keys(KEY_TYPES) },
    clients: [
      {
        client_id: 'm2m', client_secret: 'secret',
        grant_types: ['client_credentials'], redirect_uris: [], response_types: [],
      },
      {
        client_id: 'web', token_endpoint_auth_method: 'none',
        // Only native clients may be sent back to plain http on the loopback address.
        application_type: 'native',
        grant_types: ['authorization_code', 'refresh_token'], redirect_uris: ['http://127.0.0.1/cb'],
        ...(options.logout && { backchannel_logout_uri: options.logout, backchannel_logout_session_required: true }),
      },
      // They introspect tokens.
      { client_id: 'api', client_secret: 'p:w+d%&', grant_types: [], redirect_uris: [], response_types: [] },
      ...(options.client_keys.length ? [{
        client_id: 'api-key', token_endpoint_auth_method: 'private_key_jwt',
        jwks: { keys: options.client_keys },
        grant_types: [], redirect_uris: [], response_types: [],
      }] : []),
    ],
    features: {
      devInteractions: { enabled: true },
      backchannelLogout: { enabled: true },
      clientCredentials: { enabled: true },
      registration: { enabled: options.registration },
      clientIdMetadataDocument: { enabled: options.registration, ack: 'draft-02' },
      introspection: { enabled: true },
      revocation: { enabled: true },
      resourceIndicators: {
        enabled: true,
        // Without a resource server the library issues opaque tokens.
        getResourceServerInfo(ctx, resource) {
          if (!RESOURCES.has(resource) && ![ENCRYPTED, OPAQUE, ...options.resources].includes(resource)) throw new errors.InvalidTarget();
          return {
            scope: `${SCOPES} ${options.scopes}`.trim(),
            audience: options.audiences[resource] ?? resource,
            accessTokenFormat: resource === OPAQUE ? 'opaque' : 'jwt',
            accessTokenTTL: options.ttl,
            jwt: resource === ENCRYPTED ? { encrypt: ENCRYPTION } : { sign: { alg } },
          };
        },
      },
    },
    // A metadata document has a public https URL, and is given here instead of in a web server.
    // The library's dispatcher refuses loopback addresses, and logout tokens are sent to one.
    fetch: (url, { dispatcher, ...request }) =>
      url in options.documents ? Response.json(options.documents[url]) : fetch(url, options.logout ? request : { dispatcher, ...request }),
    scopes: ['openid', 'offline_access', ...options.scopes.split(' ').filter(Boolean)],
    // A client that registers itself gets none without offline_access, unless the test asks for it.
    issueRefreshToken: (ctx, client) =>
      client.grantTypeAllowed('refresh_token') && (options.refresh || !options.registration),
    // Any name can log in. A name without an account gets a token without roles.
    findAccount: (ctx, id) => ({ accountId: id, claims: () => ({ sub: id, ...idClaims }) }),
    claims: { openid: ['sub', ...Object.keys(idClaims)] },
    conformIdTokenClaims: false,
    // The machine client's tokens have no account.
    extraTokenClaims: (ctx, { accountId, clientId }) => accounts.get(accountId ?? clientId),
    formats: {
      customizers: { jwt: (ctx, token, jwt) => SHAPES[options.shape]?.(jwt, token.kind === 'ClientCredentials') },
    },
  });
  provider.on('backchannel.error', (ctx, error) => console.error(error));
  provider.on('server_error', (ctx, error) => console.error(error));
  return provider.callback();
}

async function listen(handler) {
  const server = createServer(handler).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return `http://127.0.0.1:${server.address().port}`;
}

let keys = [newKey(options.alg)];
let answer;
const path = options.issuer ? new URL(options.issuer).pathname : options.path;
const prefix = path.replace(/\/$/, '');

const origin = await listen((req, res) => {
  if (!req.url.startsWith(`${prefix}/`)) return res.writeHead(404).end();
  // The library knows only its own routes, and finds the path it is mounted on through originalUrl.
  req.originalUrl = req.url;
  req.url = req.url.slice(prefix.length);
  return answer(req, res);
});
// The issuer contains the port, so the provider can only be made after the socket is bound.
const address = `${origin}${path}`;
const issuer = options.issuer ?? address;
answer = newProvider(issuer, keys);

async function command(req) {
  if (req.method === 'POST' && req.url === '/rotate') {
    const { alg, keep_old: keepOld = true } = JSON.parse(await text(req));
    const rotated = [newKey(alg), ...(keepOld ? keys : [])];
    answer = newProvider(issuer, rotated);
    keys = rotated;
  } else if (req.method === 'POST' && req.url === '/ttl') {
    options.ttl = JSON.parse(await text(req)).ttl;
  } else if (req.method !== 'GET' || req.url !== '/kids') {
    throw new RangeError(`there is no ${req.method} ${req.url}`);
  }
  return { kids: keys.map(({ kid }) => kid) };
}

const control = await listen(async (req, res) => {
  const [status, body] = await command(req).then((done) => [200, done], (error) => [400, { error: error.message }]);
  res.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
});

process.stdout.write(`${JSON.stringify({ issuer, address, control: `${control}/` })}\n`);
