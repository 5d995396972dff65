// What the open operation cost: how long its answer took, its plan, and what each subgraph was asked.

/** Draws nothing until an operation was run with its plan. `shown` is what the fetcher tells of it. */
export function Plan({ shown }) {
  if (shown === null) return null;
  const { name, ms, cost, fetches } = shown;
  const many = fetches.length === 1 ? "1 request to a subgraph" : `${fetches.length} requests to subgraphs`;
  return (
    <section className="strip" aria-label="Plan">
      <header>
        <p role="status">
          <b>{name ?? "The operation"}</b>: {ms} ms, {many}
          {cost !== undefined && `, cost ${cost}`}
        </p>
      </header>
      <div className="frames" tabIndex={0} role="region" aria-label="Requests to subgraphs">
        <table>
          <thead>
            <tr>
              <th scope="col">#</th>
              <th scope="col">after</th>
              <th scope="col">subgraph</th>
              <th scope="col">what it is asked</th>
            </tr>
          </thead>
          <tbody>
            {fetches.map(({ number, after, subgraph, at, operation }) => (
              <tr key={number}>
                <td>{number}</td>
                <td>{after.join(", ") || "at once"}</td>
                <td>{subgraph}</td>
                <td className="asked" title={at.join("\n")}>
                  <code>{operation}</code>
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </section>
  );
}
