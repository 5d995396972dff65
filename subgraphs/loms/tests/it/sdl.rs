//! The committed SDL is the one that the code has.

#[test]
fn the_committed_sdl_is_that_of_the_code() {
    assert!(
        loms::sdl().trim_end() == schema::sdl::LOMS.trim_end(),
        "the graph changed: run `make gen` and commit what it writes"
    );
}

/// The playground is read by people: what has no description is not finished.
#[test]
fn every_type_field_argument_and_enum_value_has_a_description() {
    let sdl = loms::sdl();
    let mut described = false;
    let mut bare = Vec::new();
    let mut text = false;
    for line in sdl.lines().map(str::trim) {
        if line == "\"\"\"" {
            text = !text;
            described = true;
        } else if text || line.is_empty() || is_link(line) {
            continue;
        } else if matches!(line.chars().next(), Some('}' | ')')) {
            described = false;
        } else {
            // Root objects are described where the subgraphs are composed.
            if !described && line != "type Query {" && line != "type Mutation {" {
                bare.push(line.to_owned());
            }
            described = false;
        }
    }
    assert_eq!(bare, Vec::<String>::new());
}

/// The lines that import the federation directives.
fn is_link(line: &str) -> bool {
    ["extend schema", "url:", "import:"]
        .iter()
        .any(|start| line.starts_with(start))
}
