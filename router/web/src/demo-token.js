// Tokens of the demo's users, without a framework: the page, the live page and the page without npm share this.

/** Those who can be acted as. */
export const USERS = [
  { id: "1", label: "user 1" },
  { id: "2", label: "user 2" },
  { id: "3", label: "user 3" },
  { id: "9", ops: true, label: "operator" },
];

/** Fetches a token from the router's issuer at `url`; fails with one sentence for a person. */
export async function fetchToken({ id, ops = false }, url = "/demo/token") {
  const response = await fetch(url, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ user: id, ops }),
  });
  if (!response.ok) throw new Error(`no demo token (status ${response.status})`);
  return (await response.json()).token;
}

/** When the token ends, in milliseconds since 1970; in six minutes if it does not say. */
export function endsAt(token) {
  try {
    const claims = JSON.parse(atob(token.split(".")[1].replaceAll("-", "+").replaceAll("_", "/")));
    return claims.exp * 1000;
  } catch {
    return Date.now() + 360_000;
  }
}

/** How long the token is used, in milliseconds: until a minute before it ends, and at least five seconds. */
export function renewAfterMs(token) {
  return Math.min(Math.max(endsAt(token) - Date.now() - 60_000, 5_000), 2 ** 31 - 1);
}
