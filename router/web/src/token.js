// Demo tokens: fetched for the chosen user, renewed a minute before they end.
import { useEffect, useState } from "react";

const issued = new Set();

/** Whether an authorization header holds a token that this page fetched. */
export function issuedHere(authorization) {
  return issued.has(authorization.replace(/^Bearer /i, "")) || authorization.trim() === "Bearer";
}

/** The token of a demo user, or why there is none. */
export function useDemoToken(user) {
  const [state, setState] = useState({ token: null, problem: null });
  useEffect(() => {
    let live = true;
    let timer;
    async function renew() {
      try {
        const token = await fetchToken(user);
        if (!live) return;
        issued.add(token);
        setState({ token, problem: null });
        timer = setTimeout(renew, renewAfterMs(token));
      } catch (error) {
        if (!live) return;
        setState({ token: null, problem: `${error.message}; put your own authorization into Headers` });
        timer = setTimeout(renew, 5_000);
      }
    }
    renew();
    return () => {
      live = false;
      clearTimeout(timer);
    };
  }, [user]);
  return state;
}

async function fetchToken({ id, ops = false }) {
  const response = await fetch("/demo/token", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ user: id, ops }),
  });
  if (!response.ok) throw new Error(`no demo token (status ${response.status})`);
  return (await response.json()).token;
}

function renewAfterMs(token) {
  try {
    const claims = JSON.parse(atob(token.split(".")[1].replaceAll("-", "+").replaceAll("_", "/")));
    return Math.min(Math.max(claims.exp * 1000 - Date.now() - 60_000, 5_000), 2 ** 31 - 1);
  } catch {
    return 300_000; // not a JWT: ask again in five minutes
  }
}
