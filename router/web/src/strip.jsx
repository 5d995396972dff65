// The strip at the bottom: what is watched live, frame by frame with its cursor, whichever tab is open.
import { useState, useSyncExternalStore } from "react";
import { breakIt, stopWatching, subscribe, watched } from "./watching.js";

const WORDS = {
  idle: "nothing is watched",
  connecting: "connecting",
  live: "live",
  waiting: "connection lost",
  ended: "stopped",
  refused: "refused",
};

export function Strip() {
  const shown = useSyncExternalStore(subscribe, watched);
  const [open, setOpen] = useState(true);
  const runs = ["connecting", "live", "waiting"].includes(shown.state);
  return (
    <section className="strip" aria-label="Live" data-state={shown.state} data-frames={shown.count}>
      <header>
        <span className={`state ${shown.state}`} role="status">
          {WORDS[shown.state]}
        </span>
        <Summary shown={shown} />
        {runs && (
          <button type="button" onClick={breakIt} disabled={shown.state !== "live"} title="As a network would">
            Break the connection
          </button>
        )}
        {runs && (
          <button type="button" onClick={stopWatching}>
            Stop
          </button>
        )}
        {shown.count > 0 && (
          <button type="button" aria-expanded={open} onClick={() => setOpen(!open)}>
            {open ? "Hide frames" : "Show frames"}
          </button>
        )}
      </header>
      {shown.count > 0 && open && <Frames shown={shown} />}
    </section>
  );
}

function Summary({ shown }) {
  if (shown.state === "idle") return <p>Run 4 Watch: its frames show here, whichever tab you are on.</p>;
  const times = shown.breaks === 1 ? "once" : `${shown.breaks} times`;
  return (
    <p>
      <b>{shown.operation ?? "subscription"}</b> as {shown.who} over {shown.transport}: {shown.count}{" "}
      {shown.count === 1 ? "frame" : "frames"}
      {shown.breaks > 0 && `, resumed ${times}`}
      {shown.state === "waiting" && `; ${shown.why}; goes on behind the cursor below`}
      {shown.state === "refused" && `; ${shown.why}`}
      {shown.cursor && <Cursor cursor={shown.cursor} />}
    </p>
  );
}

function Frames({ shown }) {
  return (
    <div className="frames" tabIndex={0} role="region" aria-label="Frames, newest first">
      <table>
        <thead>
          <tr>
            <th scope="col">#</th>
            <th scope="col">kind</th>
            <th scope="col">order</th>
            <th scope="col">version</th>
            <th scope="col">status</th>
            <th scope="col">at</th>
            <th scope="col">cursor</th>
          </tr>
        </thead>
        <tbody>
          {shown.frames.map((frame, at) => (
            <Frame key={frame.number} frame={frame} isResumed={frame.breaks > (shown.frames[at + 1]?.breaks ?? 0)} />
          ))}
        </tbody>
      </table>
    </div>
  );
}

function Frame({ frame: { number, cursor, event, error }, isResumed }) {
  return (
    <tr className={event.kind === "GAP" ? "gap" : undefined}>
      <td>
        {number}
        {isResumed && <span className="resumed"> resumed</span>}
      </td>
      <td>{event.kind ?? (error ? error.extensions?.code ?? "error" : "")}</td>
      <td>{event.orderId ?? event.order?.id}</td>
      <td>{event.version}</td>
      <td>{event.status ?? error?.message}</td>
      <td>{event.at?.replace("T", " ").replace(/(\.\d{3})?\d*Z$/, "$1")}</td>
      <td>{cursor && <Cursor cursor={cursor} />}</td>
    </tr>
  );
}

/** A cursor is long and opaque: shown by its end, copied whole. */
function Cursor({ cursor }) {
  const [copied, setCopied] = useState(false);
  const copy = async () => {
    await navigator.clipboard?.writeText(cursor);
    setCopied(true);
    setTimeout(() => setCopied(false), 1_500);
  };
  return (
    <button type="button" className="cursor" title={`${cursor}\nClick to copy; pass it as after:`} onClick={copy}>
      {copied ? "copied" : `…${cursor.slice(-12)}`}
    </button>
  );
}
