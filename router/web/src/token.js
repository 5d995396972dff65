// The demo token of whoever is chosen, renewed a minute before it ends.
import { useEffect, useRef, useState } from "react";
import { fetchToken, renewAfterMs } from "./demo-token.js";

const issued = new Set();

/** Whether an authorization header holds a token that this page fetched. */
export function issuedHere(authorization) {
  return issued.has(authorization.replace(/^Bearer /i, "")) || authorization.trim() === "Bearer";
}

/**
 * `tokenOf(user)`, the `problem` where there is none, and `renew()`, which fetches new ones and says whether that
 * worked. Those of all `users` are fetched at once, so that a switch takes effect with the click and no operation is
 * ever sent as the user before.
 */
export function useDemoTokens(users) {
  const [state, setState] = useState({ ready: false, problem: null });
  const renew = useRef(async () => false);
  const tokens = useRef({});
  useEffect(() => {
    let live = true;
    let timer;
    renew.current = async () => {
      clearTimeout(timer);
      try {
        const fresh = await Promise.all(users.map((user) => fetchToken(user)));
        for (const token of fresh) issued.add(token);
        tokens.current = Object.fromEntries(users.map((user, at) => [user.id, fresh[at]]));
        if (live) setState({ ready: true, problem: null });
        if (live) timer = setTimeout(renew.current, Math.min(...fresh.map(renewAfterMs)));
        return live;
      } catch (error) {
        // What was issued before may still be good.
        if (live) setState({ ready: true, problem: `${error.message}; put your own authorization into Headers` });
        if (live) timer = setTimeout(renew.current, 5_000);
        return false;
      }
    };
    renew.current();
    return () => {
      live = false;
      clearTimeout(timer);
    };
  }, [users]);
  return { ...state, tokenOf: (user) => tokens.current[user.id] ?? null, renew: () => renew.current() };
}
