// Links to an operation: text, variables and user behind `#`, which no server and no log sees.

/** What this page's address shares, or nothing; afterwards the address is plain, so that a reload shows what was typed since. */
export function shared() {
  const from = new URLSearchParams(location.hash.slice(1));
  const query = from.get("query");
  if (!query) return null;
  history.replaceState(null, "", location.pathname + location.search);
  return { query, variables: from.get("variables") ?? undefined, user: from.get("user") };
}

/** The way to an operation. */
export function linkTo({ query, variables, user }) {
  const to = new URLSearchParams({ query: query ?? "", ...(variables?.trim() && { variables }), user });
  return `${location.origin}${location.pathname}#${to}`;
}
