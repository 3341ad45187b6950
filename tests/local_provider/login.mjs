// Log in at the local provider with openid-client, which checks every answer strictly.
import * as client from "openid-client";

const [, , issuer, redirectUri, robotSecret] = process.argv;
const insecure = { execute: [client.allowInsecureRequests] };
const config = await client.discovery(new URL(issuer), "spa", undefined, client.None(), insecure);

const verifier = client.randomPKCECodeVerifier();
const checks = { pkceCodeVerifier: verifier, expectedState: client.randomState(), expectedNonce: client.randomNonce() };
const address = client.buildAuthorizationUrl(config, {
  redirect_uri: redirectUri,
  scope: "openid profile",
  code_challenge: await client.calculatePKCECodeChallenge(verifier),
  code_challenge_method: "S256",
  state: checks.expectedState,
  nonce: checks.expectedNonce,
  login_hint: "alice",
});
const answer = await fetch(address, { redirect: "manual" });
const tokens = await client.authorizationCodeGrant(config, new URL(answer.headers.get("location")), checks);
const { sub } = tokens.claims();
const profile = await client.fetchUserInfo(config, tokens.access_token, sub);
const renewed = await client.refreshTokenGrant(config, tokens.refresh_token);
const active = (await client.tokenIntrospection(config, renewed.access_token)).active;
await client.tokenRevocation(config, renewed.refresh_token);
const revoked = (await client.tokenIntrospection(config, renewed.access_token)).active;

const robot = await client.discovery(new URL(issuer), "robot", robotSecret, undefined, insecure);
const machine = await client.clientCredentialsGrant(robot, { resource: "urn:api" });
const machineAnswer = await client.tokenIntrospection(robot, machine.access_token);

const logout = client.buildEndSessionUrl(config, {
  id_token_hint: tokens.id_token,
  post_logout_redirect_uri: redirectUri,
});
const left = (await fetch(logout, { redirect: "manual" })).headers.get("location");
console.log(
  JSON.stringify({ sub, roles: profile.roles, active, revoked, machine: [machineAnswer.sub, machineAnswer.aud], left }),
);
