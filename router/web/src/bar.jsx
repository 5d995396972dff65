// The bar on top: who asks, how subscriptions travel, and what is left of the caller's budget.
import { useEffect, useState } from "react";
import { startOver } from "./storage.js";

export function Bar({ users, user, chooseUser, inThisTab, transports, transport, chooseTransport, budget, wantsPlan, togglePlan, share, problem }) {
  return (
    <header className="bar">
      <h1>Marketplace</h1>
      <Choice legend={inThisTab ? "Here you are" : "You are"} options={users} chosen={user} choose={chooseUser} />
      <Choice legend="Live over" options={transports} chosen={transport} choose={chooseTransport} />
      <Budget budget={budget} />
      <nav aria-label="More">
        <a href="/shop">Shop</a>
        <a href="/live">Live</a>
        <button type="button" aria-pressed={wantsPlan} title="Shows the time, the plan and the requests to subgraphs of what you run" onClick={togglePlan}>
          Plan
        </button>
        <Share share={share} />
        <button type="button" title="Brings the ten operations back as they were" onClick={startOver}>
          Start over
        </button>
      </nav>
      {problem && (
        <span className="problem" role="status">
          {problem}
        </span>
      )}
    </header>
  );
}

/** Copies the way to the open tab; its user and variables go along, and its token never does. */
function Share({ share }) {
  const [told, setTold] = useState(null);
  useEffect(() => {
    if (told === null) return undefined;
    const timer = setTimeout(() => setTold(null), 4_000);
    return () => clearTimeout(timer);
  }, [told]);
  const copy = async () => {
    const link = share();
    history.replaceState(null, "", link);
    const isCopied = await navigator.clipboard?.writeText(link).then(() => true, () => false);
    setTold(isCopied ? "Copied" : "It is in the address bar");
  };
  return (
    <button type="button" title="Copies a link to this operation, with its variables and its user" onClick={copy}>
      <span role="status">{told ?? "Share"}</span>
    </button>
  );
}

function Choice({ legend, options, chosen, choose }) {
  return (
    <fieldset>
      <legend>{legend}</legend>
      {options.map((option) => (
        <button key={option.id} type="button" aria-pressed={option.id === chosen.id} onClick={() => choose(option)}>
          {option.label}
        </button>
      ))}
    </fieldset>
  );
}

/** What the last answers said: headers `ratelimit-*`, the field `rateLimit`, or a refusal of the cost. */
function Budget({ budget }) {
  const secondsLeft = useSecondsUntil(budget.resetsAt);
  if (budget.remaining === undefined) return null;
  const whole = new Intl.NumberFormat("en-GB").format;
  const explained = "Each operation has a cost, by the objects that its answer may hold; each caller has a budget a window. "
    + "From the headers ratelimit-limit, ratelimit-remaining and ratelimit-reset, and the field rateLimit.";
  return (
    <p className="budget" title={explained}>
      Budget <b>{whole(budget.remaining)}</b> of {whole(budget.limit)}
      {secondsLeft > 0 && ` for ${secondsLeft} s`}
      {budget.refused && (
        <em className="refused">
          cost {whole(budget.cost)} &gt; {whole(budget.costLimit)}
        </em>
      )}
      {!budget.refused && budget.cost !== undefined && <em>cost {whole(budget.cost)}</em>}
    </p>
  );
}

function useSecondsUntil(moment) {
  const [now, setNow] = useState(Date.now());
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), 1_000);
    return () => clearInterval(timer);
  }, []);
  return Math.max(0, Math.ceil(((moment ?? 0) - now) / 1_000));
}
