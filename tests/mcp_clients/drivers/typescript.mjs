// Runs the steps of a test with the TypeScript SDK. The login of the documentation page stands above this text.
const job = JSON.parse(process.argv[2]);
const login = new Login();
login.clientMetadataUrl = job.client_metadata_url;
if (job.token) login.saveTokens({ access_token: job.token, token_type: "Bearer" });
if (job.client_id) login.saveClientInformation({ client_id: job.client_id });

async function take(step, ...given) {
  if (step === "wait") return new Promise((resolve) => setTimeout(() => resolve({}), given[0] * 1000));
  if (step === "list") return { tools: (await client.listTools()).tools.map((tool) => tool.name).sort() };
  const answer = await client.callTool({ name: given[0], arguments: given[1] });
  return { text: answer.content[0].text, token: login.tokens().access_token };
}

// With this SDK, the application ends a login that a call has started, and repeats the call.
async function takeWithLogin(step, ...given) {
  try {
    return await take(step, ...given);
  } catch (error) {
    if (!(error instanceof UnauthorizedError)) {
      return { error: error.code, message: error.message, token: login.tokens().access_token };
    }
    await client.transport.finishAuth(await login.code);
    return take(step, ...given);
  }
}

const client = await connect(login);
const results = [];
for (const step of job.steps) results.push(await takeWithLogin(...step));
await client.close();
console.log(JSON.stringify(results));
