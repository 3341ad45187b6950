/** The request was not sent, because the session has ended. The login page shows the reason. */
export class SessionEndedError extends Error {
  override name = "SessionEndedError";
}

/** The token could not be renewed, because the provider does not answer. The session has not ended. */
export class ProviderError extends Error {
  override name = "ProviderError";
}
