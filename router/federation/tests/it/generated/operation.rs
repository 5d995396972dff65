//! A random operation over a random schema.

use super::random::Random;
use super::world::{Named, World};

/// Deeper than this only leaves are asked.
const DEEPEST: usize = 5;

/// Writes an operation.
pub(super) fn random(world: &World, random: &mut Random) -> String {
    let mut writer = Writer {
        world,
        random,
        left: 25,
    };
    writer.set(world.types.len() - 1, 0)
}

struct Writer<'a> {
    world: &'a World,
    random: &'a mut Random,
    /// Fields that may still be written.
    left: usize,
}

impl Writer<'_> {
    fn set(&mut self, position: usize, depth: usize) -> String {
        let count = 1 + self.random.below(4);
        let items = (0..count).map(|_| self.field(position, depth));
        let items: Vec<_> = items.collect();
        format!("{{ {} }}", items.join(" "))
    }

    fn field(&mut self, position: usize, depth: usize) -> String {
        self.left = self.left.saturating_sub(1);
        let ty = &self.world.types[position];
        if ty.is_entity && self.random.percent(15) {
            return self.aliased("id");
        }
        if self.random.percent(8) {
            return self.aliased("__typename");
        }
        let is_end = depth >= DEEPEST || self.left == 0;
        let fields: Vec<_> = ty
            .fields
            .iter()
            .filter(|field| !is_end || matches!(field.named, Named::Scalar(_)))
            .collect();
        if fields.is_empty() {
            return "__typename".to_owned();
        }
        let field = *self.random.pick(&fields);
        let name = self.aliased(&field.name);
        match &field.named {
            Named::Scalar(_) => name,
            Named::Type(below) => format!("{name} {}", self.set(*below, depth + 1)),
            Named::Union | Named::Interface => {
                let mut parts = match field.named {
                    Named::Interface => vec![self.aliased("id")],
                    _ => vec!["__typename".to_owned()],
                };
                for member in &self.world.union.1 {
                    if self.random.percent(70) {
                        let set = self.set(*member, depth + 1);
                        parts.push(format!("... on {} {set}", self.world.types[*member].name));
                    }
                }
                format!("{name} {{ {} }}", parts.join(" "))
            }
        }
    }

    /// The field, perhaps under another name: its own number, or what another field is called.
    fn aliased(&mut self, name: &str) -> String {
        match self.random.below(4) {
            0 => format!("a{}: {name}", self.random.below(90)),
            1 if self.random.percent(30) => {
                format!("{}: {name}", self.random.pick::<&str>(&["id", "f0", "f1"]))
            }
            _ => name.to_owned(),
        }
    }
}
