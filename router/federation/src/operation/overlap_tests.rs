//! The rule against the specification's own words, which compare every pair.

use graphql_tools::parser::{parse_query, parse_schema};
use proptest::prelude::*;

use super::*;

const SCHEMA: &str = r#"
    type Query { node: Node pet: Pet dog: Dog cat: Cat name: String id: ID! tags: [String] list: [Node!] }
    interface Node { id: ID! node: Node pet: Pet }
    union Pet = Dog | Cat
    type Dog implements Node { id: ID! name: String! size(unit: Int, of: [Int]): Int node: Node pet: Pet }
    type Cat implements Node { id: ID! name: String size(unit: Int, of: [Int]): Float node: Node pet: Pet }
    scalar String scalar Int scalar Float scalar Boolean scalar ID"#;

fn types() -> TypeTable {
    let schema = parse_schema::<String>(SCHEMA).unwrap().into_static();
    TypeTable::new(&schema, &schema)
}

fn document(text: &str) -> Document {
    parse_query::<String>(text).expect(text).into_static()
}

fn is_refused(text: &str) -> bool {
    let found = find(&types(), &document(text), 1_000_000);
    assert!(!found.is_over_budget);
    !found.conflicts.is_empty()
}

#[test]
fn fields_of_one_name_must_be_one_field() {
    for (text, refused) in [
        ("{ name name }", false),
        ("{ x: name x: id }", true),
        ("{ x: name x: name }", false),
        ("{ name name: id }", true),
        ("{ dog { size(unit: 1) size(unit: 1) } }", false),
        ("{ dog { size(unit: 1) size(unit: 2) } }", true),
        ("{ dog { size(unit: 1) size } }", true),
        ("{ dog { size(of: [1]) size(of: [1, 2]) } }", true),
        (
            "{ dog { size(unit: 1, of: [1]) size(of: [1], unit: 1) } }",
            false,
        ),
        ("{ dog { x: id } dog { x: name } }", true),
        (
            "{ pet { ... on Dog { size(unit: 1) } ... on Dog { size(unit: 2) } } }",
            true,
        ),
        // A value is an object of one type, so arguments may differ, but not the form of the value.
        (
            "{ pet { ... on Dog { x: size(unit: 1) } ... on Dog { x: size(unit: 1) } } }",
            false,
        ),
        (
            "{ pet { ... on Dog { x: id } ... on Cat { x: id } } }",
            false,
        ),
        (
            "{ pet { ... on Dog { x: id } ... on Cat { x: name } } }",
            true,
        ),
        ("{ pet { ... on Dog { name } ... on Cat { name } } }", true),
        ("{ pet { ... on Dog { size } ... on Cat { size } } }", true),
        (
            "{ pet { ... on Dog { x: node { id } } ... on Cat { x: pet { __typename } } } }",
            false,
        ),
        (
            "{ pet { ... on Dog { x: node { y: id } } ... on Cat { x: node { y: __typename } } } }",
            false,
        ),
        ("{ node { x: id ... on Dog { x: name } } }", true),
        ("{ x: tags x: name }", true),
        ("{ x: list { id } x: node { id } }", true),
        ("{ x: __typename x: __typename }", false),
        (
            "{ ...a ...b } fragment a on Query { x: id } fragment b on Query { x: name }",
            true,
        ),
        (
            "{ dog { ...a } dog { x: id } } fragment a on Dog { ...b } fragment b on Dog { x: name }",
            true,
        ),
        ("query A { x: id } query B { x: name }", false),
    ] {
        assert_eq!(is_refused(text), refused, "{text}");
        let naive = Naive::new(&types(), &document(text)).is_refused();
        assert_eq!(naive, refused, "the oracle: {text}");
    }
}

/// Counted, not timed. Seen red with every field of a group compared with every other.
#[test]
fn the_work_is_linear_in_the_fields() {
    let types = types();
    let steps = |text: &str| find(&types, &document(text), usize::MAX).steps;
    let texts: [fn(usize) -> String; 4] = [
        |n| format!("{{ {} }}", "name ".repeat(n)),
        |n| format!("{{ {} }}", "dog { id } ".repeat(n)),
        |n| {
            format!(
                "{{ {0} {0} }}",
                format!("dog {{ node {{ {} }} }}", "id ".repeat(n))
            )
        },
        |n| {
            let spreads: String = (0..n).map(|n| format!("...f{n} ")).collect();
            let fragments: String = (0..n)
                .map(|n| format!("fragment f{n} on Dog {{ id name node {{ id }} }} "))
                .collect();
            format!("{{ dog {{ {spreads} }} }} {fragments}")
        },
    ];
    for text in texts {
        let (few, many) = (steps(&text(50)), steps(&text(500)));
        assert!(many <= 10 * few + 100, "{few} {many}: {}", text(2));
    }
}

#[test]
fn the_search_ends_with_its_budget() {
    let text = format!("{{ {} }}", "dog { id } ".repeat(500));
    let found = find(&types(), &document(&text), 100);
    assert!(found.is_over_budget);
}

/// `FieldsInSetCanMerge` as the specification has it.
struct Naive<'a> {
    types: &'a TypeTable,
    fragments: HashMap<&'a str, &'a FragmentDefinition>,
    document: &'a Document,
}

impl<'a> Naive<'a> {
    fn new(types: &'a TypeTable, document: &'a Document) -> Self {
        Self {
            types,
            fragments: fragments(document),
            document,
        }
    }

    /// Every selection set of the document must be one that can be merged.
    fn is_refused(&self) -> bool {
        let sets = self.document.definitions.iter().map(|found| match found {
            Definition::Operation(operation) => (
                &**self.types.root(kind(operation)).unwrap(),
                operation.selection_set(),
            ),
            Definition::Fragment(fragment) => (
                condition_type(&fragment.type_condition),
                &fragment.selection_set,
            ),
        });
        let mut sets: Vec<_> = sets.collect();
        while let Some((parent, set)) = sets.pop() {
            if !self.can_merge(&[(parent, set)]) {
                return true;
            }
            for item in &set.items {
                match item {
                    Selection::Field(field) if field.selection_set.items.is_empty() => {}
                    Selection::Field(field) => {
                        let ty = &self.types.field(parent, &field.name).unwrap().ty;
                        sets.push((ty.name(), &field.selection_set));
                    }
                    Selection::InlineFragment(inline) => {
                        let condition = inline.type_condition.as_ref().map(condition_type);
                        sets.push((condition.unwrap_or(parent), &inline.selection_set));
                    }
                    Selection::FragmentSpread(_) => {}
                }
            }
        }
        false
    }

    fn fields(&self, sets: &[(&'a str, &'a SelectionSet)]) -> Vec<(&'a str, &'a Field)> {
        let mut fields = Vec::new();
        let mut visited = Vec::new();
        for (parent, set) in sets {
            self.expand(parent, set, &mut visited, &mut fields);
        }
        fields
    }

    fn expand(
        &self,
        parent: &'a str,
        set: &'a SelectionSet,
        visited: &mut Vec<&'a str>,
        into: &mut Vec<(&'a str, &'a Field)>,
    ) {
        for item in &set.items {
            match item {
                Selection::Field(field) => into.push((parent, field)),
                Selection::InlineFragment(inline) => {
                    let condition = inline.type_condition.as_ref().map(condition_type);
                    self.expand(
                        condition.unwrap_or(parent),
                        &inline.selection_set,
                        visited,
                        into,
                    );
                }
                Selection::FragmentSpread(spread) => {
                    if !visited.contains(&spread.fragment_name.as_str()) {
                        visited.push(&spread.fragment_name);
                        let fragment = self.fragments[spread.fragment_name.as_str()];
                        let parent = condition_type(&fragment.type_condition);
                        self.expand(parent, &fragment.selection_set, visited, into);
                    }
                }
            }
        }
    }

    fn can_merge(&self, sets: &[(&'a str, &'a SelectionSet)]) -> bool {
        let fields = self.fields(sets);
        pairs(&fields).all(|(one, two)| {
            response(one.1) != response(two.1)
                || (self.same_shape(one, two)
                    && (self.are_apart(one.0, two.0) || self.same(one, two)))
        })
    }

    fn are_apart(&self, one: &str, two: &str) -> bool {
        let is_object = |name| self.types.find(name).unwrap().kind == TypeKind::Object;
        one != two && is_object(one) && is_object(two)
    }

    fn same(&self, one: (&'a str, &'a Field), two: (&'a str, &'a Field)) -> bool {
        one.1.name == two.1.name
            && same_arguments(&one.1.arguments, &two.1.arguments)
            && self.can_merge(&self.below(one, two))
    }

    fn below(
        &self,
        one: (&'a str, &'a Field),
        two: (&'a str, &'a Field),
    ) -> Vec<(&'a str, &'a SelectionSet)> {
        [one, two]
            .into_iter()
            .filter(|(_, field)| !field.selection_set.items.is_empty())
            .map(|(parent, field)| {
                let ty = &self.types.field(parent, &field.name).unwrap().ty;
                (&**ty.name(), &field.selection_set)
            })
            .collect()
    }

    fn ty(&self, (parent, field): (&str, &Field)) -> Option<String> {
        let info = self.types.field(parent, &field.name)?;
        Some(info.ty.to_string())
    }

    fn same_shape(&self, one: (&'a str, &'a Field), two: (&'a str, &'a Field)) -> bool {
        let (Some(mut a), Some(mut b)) = (self.ty(one), self.ty(two)) else {
            return true;
        };
        loop {
            for (open, close) in [("", "!"), ("[", "]")] {
                let wraps = |text: &str| text.starts_with(open) && text.ends_with(close);
                if wraps(&a) != wraps(&b) {
                    return false;
                }
                if wraps(&a) {
                    a = a[open.len()..a.len() - 1].to_owned();
                    b = b[open.len()..b.len() - 1].to_owned();
                }
            }
            if !a.ends_with(['!', ']']) && !b.ends_with(['!', ']']) {
                break;
            }
        }
        let is_composite = |name: &str| self.types.find(name).unwrap().kind.is_composite();
        if !is_composite(&a) || !is_composite(&b) {
            return a == b;
        }
        let fields = self.fields(&self.below(one, two));
        pairs(&fields)
            .all(|(one, two)| response(one.1) != response(two.1) || self.same_shape(one, two))
    }
}

fn response(field: &Field) -> &str {
    field.alias.as_ref().unwrap_or(&field.name)
}

fn pairs<'f, T: Copy>(fields: &'f [T]) -> impl Iterator<Item = (T, T)> + 'f {
    (0..fields.len())
        .flat_map(move |one| (one + 1..fields.len()).map(move |two| (fields[one], fields[two])))
}

/// A random selection of a type: numbers choose what stands there.
fn selection(ty: &str, depth: u8, numbers: &mut impl Iterator<Item = u8>) -> String {
    let leaves: &[&str] = match ty {
        "Query" => &["name", "id", "tags", "x: name", "x: id", "...q"],
        "Node" => &["id", "x: id", "__typename", "...n"],
        "Dog" => &[
            "id",
            "name",
            "x: name",
            "size",
            "x: size",
            "size(unit: 1)",
            "size(of: [1])",
            "size(of: [1, 2])",
            "...d",
        ],
        "Cat" => &["id", "name", "x: name", "x: size(unit: 2)", "size"],
        _ => &["__typename", "x: __typename"],
    };
    let inner: &[(&str, &str)] = match ty {
        "Query" => &[
            ("node", "Node"),
            ("pet", "Pet"),
            ("dog", "Dog"),
            ("cat", "Cat"),
            ("list", "Node"),
            ("x: node", "Node"),
            ("x: list", "Node"),
        ],
        "Node" => &[
            ("node", "Node"),
            ("pet", "Pet"),
            ("... on Dog", "Dog"),
            ("... on Cat", "Cat"),
            ("x: node", "Node"),
        ],
        "Dog" | "Cat" => &[
            ("node", "Node"),
            ("pet", "Pet"),
            ("x: pet", "Pet"),
            ("x: node", "Node"),
            ("...", ""),
        ],
        _ => &[
            ("... on Dog", "Dog"),
            ("... on Cat", "Cat"),
            ("... on Node", "Node"),
        ],
    };
    let count = numbers.next().unwrap_or(0) % 3 + 1;
    let mut items = String::new();
    for _ in 0..count {
        let pick = usize::from(numbers.next().unwrap_or(0));
        if depth > 0 && pick % 2 == 0 {
            let (open, below) = inner[pick / 2 % inner.len()];
            let below = if below.is_empty() { ty } else { below };
            let below = selection(below, depth - 1, numbers);
            items.push_str(&format!("{open} {below} "));
        } else {
            items.push_str(leaves[pick / 2 % leaves.len()]);
            items.push(' ');
        }
    }
    format!("{{ {items} }}")
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    /// Seen red with the fields of abstract types left out where an object type has fields of its own.
    #[test]
    fn the_verdict_is_the_specifications(numbers in prop::collection::vec(any::<u8>(), 5..80)) {
        let mut numbers = numbers.into_iter();
        let query = selection("Query", 3, &mut numbers);
        let mut fragment = |name, ty| {
            let set = selection(ty, 2, &mut numbers);
            // A fragment must not spread itself, or one that spreads it.
            let set = ["...q", "...n", "...d"].iter().fold(set, |set, spread| set.replace(spread, "__typename"));
            format!("fragment {name} on {ty} {set}")
        };
        let (q, n, d) = (fragment("q", "Query"), fragment("n", "Node"), fragment("d", "Dog"));
        // What nobody spreads is refused by another rule.
        let used = "dog { ...d } node { ...n } ...q";
        let text = format!("query {query} query Used {{ {used} }} {q} {n} {d}");
        let naive = Naive::new(&types(), &document(&text)).is_refused();
        prop_assert_eq!(is_refused(&text), naive, "{}", text);
    }
}
