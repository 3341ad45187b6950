import react from "@vitejs/plugin-react";
import { defineConfig, loadEnv, type Plugin } from "vite";

/**
 * Add a content security policy to the built page.
 *
 * An injected script then cannot load code, and cannot send a token to another host. The development server needs
 * inline scripts, so it has no policy. If your provider has its token endpoint on another host, add it to
 * `connect-src`.
 */
function securityPolicy(api: string, provider: string): Plugin {
  const policy = [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self'",
    `connect-src 'self' ${api} ${provider}`,
    // For the renewal in a frame, which providers without refresh tokens need.
    `frame-src 'self' ${provider}`,
    "base-uri 'none'",
    "form-action 'none'",
    "require-trusted-types-for 'script'",
  ].join("; ");
  return {
    name: "security-policy",
    apply: "build",
    transformIndexHtml: () => [
      { tag: "meta", attrs: { "http-equiv": "Content-Security-Policy", content: policy }, injectTo: "head-prepend" },
    ],
  };
}

export default defineConfig(({ mode }) => {
  const env = loadEnv(mode, ".");
  const origin = (name: string) => (env[name] ? new URL(env[name]).origin : "");
  return {
    plugins: [react(), securityPolicy(origin("VITE_API_URL"), origin("VITE_OIDC_AUTHORITY"))],
    // The address is registered at the provider, so another port must be an error.
    server: { host: "127.0.0.1", port: 5173, strictPort: true },
    preview: { host: "127.0.0.1", port: 5173, strictPort: true },
    // The SDK and React are one file of 800 kB, 220 kB compressed.
    build: { chunkSizeWarningLimit: 1000 },
  };
});
