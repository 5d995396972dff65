//! The documents that cost the most among those that the limits let pass to the parser, over the toy supergraph.
//!
//! Each stands for a way to make one part of the preparation do more work than the text is long.

/// A document by the name of what it strains.
pub(crate) struct Worst {
    pub(crate) name: &'static str,
    pub(crate) text: String,
    pub(crate) variables: serde_json::Value,
}

fn many(count: usize, item: impl Fn(usize) -> String) -> String {
    (0..count).map(item).collect()
}

fn nested(depth: usize, open: &str, inner: &str) -> String {
    open.repeat(depth) + inner + &"}".repeat(depth)
}

/// All of them.
pub(crate) fn documents() -> Vec<Worst> {
    let mut all = fields();
    all.extend(fragments());
    all.extend(spreads());
    all.extend(inputs());
    all.extend(definitions());
    all.extend(refused());
    let with_variables = all
        .into_iter()
        .map(|(name, text)| Worst {
            name,
            text,
            variables: serde_json::json!({}),
        })
        .chain(variables());
    with_variables.collect()
}

type Named = (&'static str, String);

fn fields() -> Vec<Named> {
    let aliased = many(29, |n| format!("a{n}: price(currency: \"{n}\") "));
    vec![
        ("one field", "{ warehouse }".to_owned()),
        ("equal leaves", format!("{{ sure {{ {} }} }}", "sku ".repeat(1_985))),
        ("equal leaves of an item", format!("{{ users {{ {} }} }}", "id ".repeat(500))),
        (
            "equal leaves in two equal fields",
            format!("{{ {0} {0} }}", format!("users {{ reviews {{ {} }} }}", "id ".repeat(950))),
        ),
        (
            "equal objects",
            format!("{{ me {{ {} }} }}", "friends { id } ".repeat(480)),
        ),
        (
            "equal objects of equal objects",
            format!("{{ me {{ {} }} }}", format!("friends {{ {} }} ", "friends { id } ".repeat(20)).repeat(23)),
        ),
        (
            "aliases with arguments",
            format!("{{ sure {{ {aliased} }} }}"),
        ),
        (
            "the deepest",
            format!("{{ me {} }}", nested(10, "{ friends ", "{ id }")),
        ),
        (
            "wide at every level",
            format!("{{ me {} }}", nested(10, &format!("{{ {} friends ", "id name email ".repeat(50)), "{ id }")),
        ),
        (
            "every entity from another subgraph",
            "{ users { reviews { product { stock { total } shipping reviews { author { reviews { product { name shipping } } } } best { product { name stock { available } } } } } } }".to_owned(),
        ),
        (
            "arguments that differ in every set",
            format!("{{ sure {{ reviews {{ {} }} }} }}", many(28, |n| format!("a{n}: product {{ price(currency: \"{n}\", gross: true) weight shipping name }} "))),
        ),
        (
            "root fields by alias",
            format!("{{ {} }}", many(20, |n| format!("a{n}: product(sku: \"{n}\") {{ sku name shipping stock {{ total }} best {{ author {{ name }} product {{ name }} }} }} "))),
        ),
        (
            "mutations",
            format!("mutation {{ {} }}", many(20, |n| format!("a{n}: rename(sku: \"{n}\", name: \"x\") {{ sku name shipping stock {{ total }} best {{ author {{ name }} }} }} "))),
        ),
        (
            "abstract types",
            format!("{{ feed {{ {} }} }}", "... on Media { id title ... on Book { id pages reviews { id } } ... on Film { id minutes reviews { id body } } } ".repeat(38)),
        ),
        (
            "abstract types in abstract types",
            format!("{{ wide {{ {} }} search {{ {} }} }}", "... on Book { id pages } ... on Film { id minutes } ".repeat(60), "... on Book { id title } ... on Product { sku name } ".repeat(60)),
        ),
        (
            "objects of abstract types",
            format!("{{ feed {{ {} }} }}", "... on Book { reviews { author { id friends { id } } } } ... on Film { reviews { author { name friends { name } } } } ".repeat(35)),
        ),
    ]
}

fn fragments() -> Vec<Named> {
    let fields = "id name email friends { id } reviews { id body } id id name name email email id id id id name name email email ";
    vec![
        (
            "60 fragments of 20 fields",
            format!(
                "{{ me {{ {} }} }} {}",
                many(60, |n| format!("...f{n} ")),
                many(60, |n| format!(
                    "fragment f{n} on User {{ {} }} ",
                    "id name email ".repeat(7)
                ))
            ),
        ),
        (
            "fragments with objects",
            format!(
                "{{ me {{ {} }} }} {}",
                many(40, |n| format!("...f{n} ")),
                many(40, |n| format!("fragment f{n} on User {{ {fields} }} "))
            ),
        ),
        (
            "a chain of fragments",
            format!(
                "{{ me {{ ...f0 }} }} {} fragment f240 on User {{ id }}",
                many(240, |n| format!(
                    "fragment f{n} on User {{ ...f{} }} ",
                    n + 1
                ))
            ),
        ),
        (
            "a chain of fragments, each also below",
            format!(
                "{{ me {{ ...f0 }} }} {} fragment f9 on User {{ id }}",
                many(9, |n| format!(
                    "fragment f{n} on User {{ id ...f{0} friends {{ ...f{0} }} }} ",
                    n + 1
                ))
            ),
        ),
        (
            "fragments that spread all later ones",
            format!(
                "{{ me {{ ...f0 }} }} {} fragment f26 on User {{ id }}",
                many(26, |n| format!(
                    "fragment f{n} on User {{ id {} }} ",
                    many(26 - n, |m| format!("...f{} ", n + m + 1))
                ))
            ),
        ),
        (
            "one spread, again and again",
            format!(
                "{{ me {{ {} }} }} fragment f on User {{ id name email }}",
                "...f ".repeat(600)
            ),
        ),
        (
            "a spread in every item",
            format!(
                "{{ me {{ {} }} }} fragment f on User {{ id friends {{ id }} }}",
                "friends { ...f } ".repeat(300)
            ),
        ),
    ]
}

fn spreads() -> Vec<Named> {
    vec![
        (
            "inline fragments in each other",
            format!("{{ me {} }}", nested(40, "{ id ... on User ", "{ id }")),
        ),
        (
            "inline fragments without a condition",
            format!("{{ me {{ {} }} }}", "... { id } ".repeat(480)),
        ),
        (
            "equal objects of fragments",
            format!(
                "{{ me {{ {} }} }} {}",
                many(60, |n| format!("friends {{ ...f{n} }} ")),
                many(60, |n| format!(
                    "fragment f{n} on User {{ {} }} ",
                    "friends { id } ".repeat(4)
                ))
            ),
        ),
    ]
}

fn inputs() -> Vec<Named> {
    vec![
        (
            "a long list",
            format!(
                "{{ search(filter: {{ kinds: [{}] }}) {{ __typename }} }}",
                "BOOK ".repeat(1_980)
            ),
        ),
        (
            "a long text",
            format!("{{ product(sku: \"{}\") {{ sku }} }}", "9".repeat(65_000)),
        ),
        (
            "a long comment",
            format!("{{ warehouse }} #{}", "x".repeat(65_000)),
        ),
        (
            "white space",
            format!("{{ warehouse {} }}", "\n".repeat(65_000)),
        ),
        (
            "a literal that is anything",
            format!("{{ search(text: {}) {{ __typename }} }}", nested_list(45)),
        ),
        (
            "the same argument",
            format!("{{ product({}) {{ sku }} }}", "sku: \"1\" ".repeat(600)),
        ),
        (
            "arguments that do not exist",
            format!(
                "{{ product(sku: \"1\" {}) {{ sku }} }}",
                many(600, |n| format!("x{n}: 1 "))
            ),
        ),
        (
            "input fields that do not exist",
            format!(
                "{{ search(filter: {{ {} }}) {{ __typename }} }}",
                many(600, |n| format!("x{n}: 1 "))
            ),
        ),
        (
            "values of the wrong type",
            format!(
                "{{ search(filter: {{ kinds: [{}] }}) {{ __typename }} }}",
                "NONE ".repeat(1_980)
            ),
        ),
    ]
}

fn nested_list(depth: usize) -> String {
    "[".repeat(depth) + &"]".repeat(depth)
}

fn definitions() -> Vec<Named> {
    vec![
        (
            "operations",
            many(280, |n| format!("query q{n} {{ sure {{ sku }} }} ")),
        ),
        (
            "operations over the same fragments",
            format!("{} {}", many(60, |n| format!("query q{n} {{ me {{ ...f0 }} }} ")), many(60, |n| format!("fragment f{n} on User {{ id {} }} ", if n < 59 { format!("...f{}", n + 1) } else { String::new() }))),
        ),
        (
            "operations with variables over the same fragments",
            format!("{} {}", many(40, |n| format!("query q{n}($s: String) {{ sure {{ ...f0 }} }} ")), many(50, |n| format!("fragment f{n} on Product {{ price(currency: $s) {} }} ", if n < 49 { format!("...f{}", n + 1) } else { String::new() }))),
        ),
        (
            "fragments that nobody uses",
            format!("{{ warehouse }} {}", many(200, |n| format!("fragment f{n} on User {{ id name }} "))),
        ),
        (
            "fragments of one name",
            format!("{{ me {{ ...f }} }} {}", "fragment f on User { id } ".repeat(250)),
        ),
        (
            "fragments in a circle",
            format!("{{ me {{ ...f0 }} }} {}", many(200, |n| format!("fragment f{n} on User {{ ...f{} }} ", (n + 1) % 200))),
        ),
        (
            "fragments in every circle",
            format!("{{ me {{ ...f0 }} }} {}", many(28, |n| format!("fragment f{n} on User {{ {} }} ", many(28, |m| format!("...f{m} "))))),
        ),
        (
            "introspection",
            format!("{{ __schema {{ {} }} }}", "types { name kind fields { name type { name kind ofType { name } } args { name } } } ".repeat(60)),
        ),
        (
            "variables",
            format!("query({}) {{ sure {{ sku }} {} }}", many(180, |n| format!("$v{n}: Int = 1 ")), String::new()),
        ),
        (
            "variables that are not defined",
            format!("query {{ search(filter: {{ kinds: [{}] }}) {{ __typename }} }}", many(900, |n| format!("$v{n} "))),
        ),
    ]
}

fn refused() -> Vec<Named> {
    vec![
        (
            "fields that do not exist",
            format!("{{ sure {{ {} }} }}", many(1_900, |n| format!("x{n} "))),
        ),
        (
            "leaves with a selection",
            format!("{{ sure {{ {} }} }}", "sku { x } ".repeat(480)),
        ),
        (
            "objects without a selection",
            format!("{{ me {{ {} }} }}", "friends ".repeat(1_900)),
        ),
        (
            "fields that conflict, pair by pair",
            format!(
                "{{ sure {{ {} }} }}",
                many(900, |n| format!("price(currency: \"{n}\") "))[..]
                    .split_inclusive(") ")
                    .take(320)
                    .collect::<String>()
            ),
        ),
        (
            "fields that conflict across fragments",
            format!(
                "{{ sure {{ {} }} }} {}",
                many(30, |n| format!("...f{n} ")),
                many(30, |n| format!(
                    "fragment f{n} on Product {{ {} }} ",
                    many(6, |m| format!("price(currency: \"{}\") ", n * 6 + m))
                ))
            ),
        ),
        (
            "conflicts deep below equal objects",
            format!(
                "{{ me {{ {} }} }}",
                many(60, |n| format!(
                    "friends {{ reviews {{ product {{ price(currency: \"{n}\") }} }} }} "
                ))
            ),
        ),
        (
            "types that do not exist",
            format!(
                "{{ me {{ {} }} }}",
                many(300, |n| format!("... on T{n} {{ id }} "))
            ),
        ),
        (
            "spreads of nothing",
            format!("{{ me {{ {} }} }}", many(600, |n| format!("...f{n} "))),
        ),
        (
            "directives that do not exist",
            format!(
                "{{ {} }}",
                many(20, |n| format!("warehouse @d{n}(x: 1, y: 2) "))
            ),
        ),
        ("a name of 60 KB", format!("{{ {} }}", "x".repeat(60_000))),
        ("not GraphQL", format!("{{ {} !", "x ".repeat(1_900))),
        (
            "a string of 60 KB that does not end",
            format!("{{ product(sku: \"{} ", "x".repeat(60_000)),
        ),
        ("brackets", "{ a ".repeat(900)),
        ("tokens", "{ a } ".repeat(10_000)),
        (
            "a name of 60 KB in every message",
            format!(
                "{{ sure {{ {} }} }} fragment {} on Product {{ x y z }}",
                "x ".repeat(500),
                "f".repeat(60_000)
            ),
        ),
    ]
}

fn variables() -> Vec<Worst> {
    let list = vec![serde_json::json!("BOOK"); 20_000];
    let wrong = vec![serde_json::json!("NONE"); 20_000];
    let unknown: serde_json::Map<_, _> = (0..20_000)
        .map(|n| (format!("x{n}"), serde_json::json!(n)))
        .collect();
    let text = "query($k: [Kind!]) { search(filter: { kinds: $k }) { __typename } }".to_owned();
    vec![
        Worst {
            name: "a variable of 20,000 items",
            text: text.clone(),
            variables: serde_json::json!({ "k": list }),
        },
        Worst {
            name: "a variable of 20,000 wrong items",
            text,
            variables: serde_json::json!({ "k": wrong }),
        },
        Worst {
            name: "a variable of 20,000 unknown fields",
            text: "query($f: Filter) { search(filter: $f) { __typename } }".to_owned(),
            variables: serde_json::json!({ "f": unknown }),
        },
    ]
}
