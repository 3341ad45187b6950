/** The settings of `.env.local`. */

interface Settings {
  authority: string;
  clientId: string;
  scope: string;
  audience: string | undefined;
  resource: string | undefined;
  apiUrl: string;
  assistantId: string;
}

function required(name: string): string {
  const value: unknown = import.meta.env[name];
  if (typeof value === "string" && value) return value;
  throw new Error(`${name} is not set. Copy .env.example to .env.local, and start again.`);
}

function optional(name: string): string | undefined {
  const value: unknown = import.meta.env[name];
  return typeof value === "string" && value ? value : undefined;
}

export const settings: Settings = {
  authority: required("VITE_OIDC_AUTHORITY"),
  clientId: required("VITE_OIDC_CLIENT_ID"),
  scope: optional("VITE_OIDC_SCOPE") ?? "openid profile",
  audience: optional("VITE_OIDC_AUDIENCE"),
  resource: optional("VITE_OIDC_RESOURCE"),
  apiUrl: required("VITE_API_URL").replace(/\/$/, ""),
  assistantId: optional("VITE_ASSISTANT_ID") ?? "agent",
};
