//! The SDL of a random schema: of each subgraph, and of the supergraph as a composition would write it.

use super::world::{Field, Named, Type, World};

const HEAD: &str = include_str!("../verdicts/supergraph.graphql");

impl World {
    fn written(&self, field: &Field) -> String {
        let mut ty = match &field.named {
            Named::Scalar(name) => (*name).to_owned(),
            Named::Type(position) => self.types[*position].name.clone(),
            Named::Union => "U".to_owned(),
            Named::Interface => "I".to_owned(),
        };
        for wrapper in field.wrappers.chars() {
            ty = if wrapper == '!' {
                format!("{ty}!")
            } else {
                format!("[{ty}]")
            };
        }
        ty
    }

    fn is_member(&self, ty: &Type) -> bool {
        let mut members = self.union.1.iter();
        members.any(|member| self.types[*member].name == ty.name)
    }

    fn members(&self) -> String {
        let names = self
            .union
            .1
            .iter()
            .map(|member| self.types[*member].name.clone());
        names.collect::<Vec<_>>().join(" | ")
    }

    /// The SDL of one subgraph.
    pub(super) fn subgraph(&self, graph: usize) -> String {
        let mut sdl = String::new();
        for ty in self.types.iter().filter(|ty| ty.graphs.contains(&graph)) {
            let key = if ty.is_entity {
                " @key(fields: \"id\")"
            } else {
                ""
            };
            let implements = if self.is_member(ty) && graph == self.union.0 {
                " implements I"
            } else {
                ""
            };
            sdl += &format!("type {}{implements}{key} {{\n", ty.name);
            if ty.is_entity {
                sdl += "  id: ID!\n";
            }
            for field in ty
                .fields
                .iter()
                .filter(|field| field.owners.contains(&graph))
            {
                sdl += &format!("  {}: {}\n", field.name, self.written(field));
            }
            sdl += "}\n";
        }
        if self.union.0 == graph {
            sdl += &format!("union U = {}\n", self.members());
            sdl += "interface I {\n  id: ID!\n}\n";
        }
        sdl
    }

    /// What a composition of the subgraphs gives.
    pub(super) fn supergraph(&self) -> String {
        let start = HEAD.find("schema @link").expect("the file begins with it");
        let end = HEAD.find("enum join__Graph").expect("the file has it");
        let mut sdl =
            HEAD[start..end].replace("  mutation: Mutation\n  subscription: Subscription\n", "");
        sdl += "enum join__Graph {\n";
        for graph in 0..self.graphs {
            sdl +=
                &format!("  S{graph} @join__graph(name: \"s{graph}\", url: \"http://s{graph}\")\n");
        }
        sdl += "}\n";
        for ty in &self.types {
            sdl += &format!("type {}", ty.name);
            if self.is_member(ty) {
                let home = self.union.0;
                sdl += " implements I";
                sdl += &format!(" @join__implements(graph: S{home}, interface: \"I\")");
            }
            let key = if ty.is_entity { ", key: \"id\"" } else { "" };
            for graph in &ty.graphs {
                sdl += &format!(" @join__type(graph: S{graph}{key})");
            }
            sdl += " {\n";
            if ty.is_entity {
                sdl += "  id: ID!\n";
            }
            for field in &ty.fields {
                sdl += &format!("  {}: {}", field.name, self.written(field));
                for owner in &field.owners {
                    sdl += &format!(" @join__field(graph: S{owner})");
                }
                sdl += "\n";
            }
            sdl += "}\n";
        }
        let home = self.union.0;
        sdl += &format!("interface I @join__type(graph: S{home}) {{\n  id: ID!\n}}\n");
        sdl += &format!("union U @join__type(graph: S{home})");
        for member in &self.union.1 {
            let name = &self.types[*member].name;
            sdl += &format!(" @join__unionMember(graph: S{home}, member: \"{name}\")");
        }
        sdl += &format!(" = {}\n", self.members());
        sdl
    }
}
