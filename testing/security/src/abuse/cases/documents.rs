//! Documents: texts that are long, deep, wide, wrong, or blow up.

use super::{Abuse, Expected, NOT_VALID, anonymous, bomb};

pub(super) const ALL: [Abuse; 23] = [
    Abuse {
        name: "an ordinary query",
        expected: Expected::Accepted,
        request: |stack, _, number| {
            anonymous(
                stack,
                &format!(
                    "{{ product(sku: \"1076963\") {{ sku stock {{ available }} }} }} #{number}"
                ),
            )
        },
    },
    Abuse {
        name: "a text of 1 MB in an argument",
        expected: Expected::Over("text_bytes"),
        request: |stack, _, number| {
            anonymous(
                stack,
                &format!(
                    "{{ product(sku: \"{number}{}\") {{ sku }} }}",
                    "9".repeat(1_000_000)
                ),
            )
        },
    },
    Abuse {
        name: "a text of 1 MB of padding",
        expected: Expected::Over("text_bytes"),
        request: |stack, _, number| {
            anonymous(
                stack,
                &format!("{{ __typename }} #{number}{}", " ".repeat(1_000_000)),
            )
        },
    },
    Abuse {
        name: "a text of 60 KB of padding",
        expected: Expected::Accepted,
        request: |stack, _, number| {
            anonymous(
                stack,
                &format!("{{ __typename }} #{number}{}", " ".repeat(60_000)),
            )
        },
    },
    Abuse {
        name: "one field 1,985 times",
        expected: Expected::Accepted,
        request: |stack, _, number| {
            anonymous(
                stack,
                &format!(
                    "{{ product(sku: \"1\") {{ {} }} }} #{number}",
                    "sku ".repeat(1_985)
                ),
            )
        },
    },
    Abuse {
        name: "one field 950 times in two lists",
        expected: Expected::Accepted,
        request: |stack, _, number| {
            let ids = "id ".repeat(950);
            let half = format!("comments {{ nodes {{ {ids} }} }}");
            anonymous(
                stack,
                &format!("{{ product(sku: \"1\") {{ {half} {half} }} }} #{number}"),
            )
        },
    },
    Abuse {
        name: "60 fragments of 20 fields",
        expected: Expected::Accepted,
        request: |stack, _, number| {
            let spreads: String = (0..60).map(|it| format!("...f{it} ")).collect();
            let fragments: String = (0..60)
                .map(|it| format!("fragment f{it} on Product {{ {} }} ", "sku ".repeat(20)))
                .collect();
            anonymous(
                stack,
                &format!("{{ product(sku: \"1\") {{ {spreads} }} }} {fragments} #{number}"),
            )
        },
    },
    Abuse {
        name: "fragments that double 25 times",
        expected: Expected::Over("root_fields"),
        request: |stack, _, number| anonymous(stack, &format!("{} #{number}", bomb(25))),
    },
    Abuse {
        name: "10,000 aliases",
        expected: Expected::Over("text_bytes"),
        request: |stack, _, number| {
            let aliases: String = (0..10_000).map(|it| format!("a{it}: sku ")).collect();
            anonymous(
                stack,
                &format!("{{ product(sku: \"1\") {{ {aliases} }} }} #{number}"),
            )
        },
    },
    Abuse {
        name: "600 aliases",
        expected: Expected::Over("aliases"),
        request: |stack, _, number| {
            let aliases: String = (0..600).map(|it| format!("a{it}: sku ")).collect();
            anonymous(
                stack,
                &format!("{{ product(sku: \"1\") {{ {aliases} }} }} #{number}"),
            )
        },
    },
    Abuse {
        name: "selection sets 200 deep",
        expected: Expected::Over("nesting"),
        request: |stack, _, number| {
            let (open, close) = ("{ user ".repeat(200), "}".repeat(200));
            anonymous(stack, &format!("{open} {close} #{number}"))
        },
    },
    Abuse {
        name: "lists in lists 5,000 deep",
        expected: Expected::Over("nesting"),
        request: |stack, _, number| {
            let (open, close) = ("[".repeat(5_000), "]".repeat(5_000));
            anonymous(
                stack,
                &format!("{{ product(sku: {open}{close}) {{ sku }} }} #{number}"),
            )
        },
    },
    Abuse {
        name: "lists in lists 900 deep",
        expected: Expected::Over("nesting"),
        request: |stack, _, number| {
            let (open, close) = ("[".repeat(900), "]".repeat(900));
            anonymous(
                stack,
                &format!("{{ product(sku: {open}{close}) {{ sku }} }} #{number}"),
            )
        },
    },
    Abuse {
        name: "1,900 directives",
        expected: Expected::Over("tokens"),
        request: |stack, _, number| {
            let directives = "@x ".repeat(1_900);
            anonymous(stack, &format!("{{ __typename {directives} }} #{number}"))
        },
    },
    Abuse {
        name: "900 directives",
        expected: Expected::Over("directives"),
        request: |stack, _, number| {
            let directives = "@x ".repeat(900);
            anonymous(stack, &format!("{{ __typename {directives} }} #{number}"))
        },
    },
    Abuse {
        name: "600 variables",
        expected: Expected::Over("tokens"),
        request: |stack, _, number| {
            let variables: String = (0..600).map(|it| format!("$v{it}: ID ")).collect();
            anonymous(
                stack,
                &format!("query ({variables}) {{ __typename }} #{number}"),
            )
        },
    },
    Abuse {
        name: "400 variables",
        expected: NOT_VALID,
        request: |stack, _, number| {
            let variables: String = (0..400).map(|it| format!("$v{it}: ID ")).collect();
            anonymous(
                stack,
                &format!("query ({variables}) {{ __typename }} #{number}"),
            )
        },
    },
    Abuse {
        name: "900 unknown fields",
        expected: NOT_VALID,
        request: |stack, _, number| {
            let fields: String = (0..900).map(|it| format!("unknown{it} ")).collect();
            anonymous(
                stack,
                &format!("{{ product(sku: \"1\") {{ {fields} }} }} #{number}"),
            )
        },
    },
    Abuse {
        name: "fragments in a circle",
        expected: NOT_VALID,
        request: |stack, _, number| {
            anonymous(
                stack,
                &format!(
                    "{{ ...a }} fragment a on Query {{ ...b }} fragment b on Query {{ ...a }} #{number}"
                ),
            )
        },
    },
    Abuse {
        name: "an object for an id",
        expected: NOT_VALID,
        request: |stack, _, number| {
            anonymous(
                stack,
                &format!("{{ product(sku: {{a: 1}}) {{ sku }} }} #{number}"),
            )
        },
    },
    Abuse {
        name: "no GraphQL",
        expected: Expected::Refused(&["GRAPHQL_PARSE_FAILED"]),
        request: |stack, _, number| anonymous(stack, &format!("}}{number}")),
    },
    Abuse {
        name: "the whole schema by introspection",
        expected: Expected::Accepted,
        request: |stack, _, number| {
            anonymous(
                stack,
                &format!(
                    "{{ __schema {{ types {{ name fields {{ name args {{ name }} type {{ name }} }} }} }} }} #{number}"
                ),
            )
        },
    },
    Abuse {
        name: "introspection, a dozen times the whole schema",
        expected: Expected::Over("introspection_schemas"),
        request: |stack, _, number| {
            let types = "types { name description fields { name description args { name description type { name } } type { name } } }";
            let all: String = (0..20)
                .map(|it| format!("s{it}: __schema {{ {types} }} "))
                .collect();
            anonymous(stack, &format!("{{ {all} }} #{number}"))
        },
    },
];
