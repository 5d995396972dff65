//! The page `docs/configuration.md`, written from the settings' own types. Invariant: there is no second list.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use chassis::config::{self, Described, Kind, Setting};
use serde_json::Value;

use crate::settings::{Refusal, Settings};

const HEAD: &str = "\
# Settings

Written by `marketplace config reference`; a test compares the page with the code.

Later ones win: defaults, then `marketplace.toml` in the working directory (or `--config FILE`), then the environment,
then flags (`--set NAME=VALUE`). `marketplace config print` shows every setting in force and where its value comes from.

- The variable of a setting is its path in upper case with `MARKETPLACE_` in front. With `_FILE` behind it, it names a
  file that holds the value, as secrets of containers come: `MARKETPLACE_POSTGRES_URL_FILE=/run/secrets/postgres_url`.
- A duration is written as `\"250ms\"`, `\"10m\"` or `\"1h 30m\"`. A list in a variable has commas: `a,b`.
- A name that no setting has, a value of the wrong form or out of its bounds stops the start: the message names the
  setting, where the value came from and what to write. What Kubernetes says of its Services in the environment
  (`MARKETPLACE_ROUTER_PORT=tcp://…`) is passed over.
- `profile = \"production\"` refuses what only a demo may have; each such setting says so.

";

/// The page in Markdown.
pub(super) fn markdown() -> String {
    let described = config::describe::<Settings>();
    let mut groups: BTreeMap<&str, Vec<&Setting>> = BTreeMap::new();
    for setting in described.settings.values() {
        let group = group_of(&described, &setting.path);
        groups.entry(group).or_default().push(setting);
    }
    let mut text = HEAD.to_owned();
    for (group, settings) in groups {
        match group {
            "" => text.push_str("## The whole marketplace\n\n"),
            group => {
                let meaning = described.groups.get(group);
                let meaning = meaning.map_or("", String::as_str);
                write!(text, "## {group}\n\n{meaning}\n\n")
                    .expect("writing to a string cannot fail");
            }
        }
        for setting in settings {
            entry(&mut text, setting);
        }
    }
    text.trim_end().to_owned() + "\n"
}

/// The longest group that a path is in.
fn group_of<'a>(described: &'a Described, path: &str) -> &'a str {
    let inside = |group: &&String| group.is_empty() || path.starts_with(&format!("{group}."));
    let longest = described
        .groups
        .keys()
        .filter(inside)
        .max_by_key(|it| it.len());
    longest.map_or("", String::as_str)
}

fn entry(text: &mut String, setting: &Setting) {
    let Setting {
        path,
        variable,
        kind,
        default,
        meaning,
        formerly,
    } = setting;
    let default = match (kind, default) {
        (_, Value::Null) => "not set".to_owned(),
        (Kind::Secret, Value::String(text)) if !text.is_empty() => {
            "a well-known one, for the demo".to_owned()
        }
        (_, default) => format!("`{default}`"),
    };
    write!(
        text,
        "### {path}\n\n`{variable}`: {kind}. Default: {default}.\n\n{meaning}\n\n"
    )
    .expect("writing to a string cannot fail");
    if let Kind::OneOf(variants) = kind {
        for (name, meaning) in variants {
            let meaning = meaning.replace('\n', " ");
            writeln!(text, "- `{name}`: {meaning}").expect("writing to a string cannot fail");
        }
        text.push('\n');
    }
    if let Some(old) = formerly {
        write!(
            text,
            "Its old name `{old}` is read for one more release, with a warning.\n\n"
        )
        .expect("a string takes any text");
    }
    for Refusal { what, fix, .. } in Refusal::of(path) {
        write!(text, "Production refuses {what}: {fix}.\n\n")
            .expect("writing to a string cannot fail");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_committed_page_is_what_the_code_says() {
        let page = include_str!("../../../../../docs/configuration.md");
        assert!(
            page == markdown(),
            "run: target/debug/marketplace config reference > docs/configuration.md"
        );
    }

    #[test]
    fn every_setting_group_and_choice_says_what_it_means() {
        let described = config::describe::<Settings>();
        let mut mute: Vec<String> = Vec::new();
        for setting in described.settings.values() {
            if setting.meaning.is_empty() {
                mute.push(setting.path.clone());
            }
            if let Kind::OneOf(variants) = &setting.kind {
                let silent = variants.iter().filter(|(_, meaning)| meaning.is_empty());
                mute.extend(silent.map(|(name, _)| format!("{} = {name}", setting.path)));
            }
        }
        let groups = described.groups.iter().filter(|(_, it)| it.is_empty());
        mute.extend(groups.map(|(group, _)| group.clone()));
        assert!(mute.is_empty(), "no doc comment: {mute:?}");
    }

    #[test]
    fn what_production_refuses_stands_at_a_setting() {
        let known = config::describe::<Settings>().settings;
        let strangers: Vec<_> = Refusal::ALL
            .iter()
            .filter(|it| !known.contains_key(it.setting))
            .collect();
        assert!(strangers.is_empty(), "{strangers:?}");
    }
}
