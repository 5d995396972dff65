//! What axe-core finds in a page that keeps somebody from using it.
//!
//! Source: axe-core's API, `axe.run`; the rules of WCAG 2.0 to 2.2, A and AA, and axe's best practices.

use std::path::Path;

use serde_json::Value;

use super::Browser;

/// Runs the rules, and says of each that is broken which, where and why.
const RUN: &str = "const done = arguments[arguments.length - 1]; \
    axe.run(document, {resultTypes: ['violations'], runOnly: {type: 'tag', values: arguments[0]}}) \
    .then(({violations}) => done(violations.flatMap(({id, nodes}) => nodes.map( \
    ({target, failureSummary}) => `${id} at ${target}: ${failureSummary}`))), (error) => done([String(error)]))";
/// What is asked for.
const RULES: [&str; 7] = [
    "wcag2a",
    "wcag2aa",
    "wcag21a",
    "wcag21aa",
    "wcag22a",
    "wcag22aa",
    "best-practice",
];

impl Browser {
    /// What is wrong with the page as it is now; nothing, if all is well.
    pub(crate) async fn barriers(&self) -> Vec<String> {
        let path = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../../router/web/node_modules/axe-core/axe.min.js");
        let axe = std::fs::read_to_string(path).expect("`make playground` has fetched axe-core");
        self.client.execute(&axe, Vec::new()).await.unwrap();
        let rules = vec![Value::from(RULES.as_slice())];
        let found = self.client.execute_async(RUN, rules).await.unwrap();
        let found = found.as_array().expect("a list").iter();
        found
            .map(|one| one.as_str().unwrap_or_default().to_owned())
            .collect()
    }
}
