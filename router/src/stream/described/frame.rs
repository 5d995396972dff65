//! The type of a stream's frames, as far as the router must rely on it.

use federation::{Member, SubscriptionField};

use super::{EntityField, fault::Fault};

/// The fields that every frame has from the router.
pub(super) const OF_ROUTER: [&str; 2] = ["kind", "cursor"];

/// The type of a stream's frames.
pub(super) struct Frame<'a>(&'a SubscriptionField);

impl<'a> Frame<'a> {
    /// Of a field that can be one.
    pub(super) fn of(field: &'a SubscriptionField) -> Result<Self, Fault> {
        if field.members.is_empty() || field.result.is_list {
            return Err(Fault::NotAFrame(field.result.ty.clone()));
        }
        let frame = Self(field);
        for name in OF_ROUTER {
            frame.field(name, name)?;
        }
        Ok(frame)
    }

    /// A field of it, which an argument of the directive names.
    pub(super) fn field(&self, argument: &'static str, name: &str) -> Result<&'a Member, Fault> {
        let found = self.0.members.iter().find(|it| it.name == name);
        found.ok_or_else(|| Fault::NoField {
            argument,
            ty: self.0.result.ty.clone(),
            name: name.to_owned(),
        })
    }

    /// A field of another type than it must have.
    fn wrong(&self, member: &Member, wanted: &'static str) -> Fault {
        Fault::Type {
            ty: self.0.result.ty.clone(),
            name: member.name.clone(),
            wanted,
        }
    }

    /// Checks that the version is a number.
    pub(super) fn counts(&self, version: &str) -> Result<(), Fault> {
        let counted = self.field("version", version)?;
        if counted.ty != "Int" || counted.is_list {
            return Err(self.wrong(counted, "an Int"));
        }
        Ok(())
    }

    /// Checks that all but the `known` fields may be null.
    pub(super) fn can_tell_a_gap(&self, known: &[Option<&str>]) -> Result<(), Fault> {
        let is_known = |name: &str| OF_ROUTER.contains(&name) || known.contains(&Some(name));
        let mut members = self.0.members.iter();
        match members.find(|it| it.is_non_null && !is_known(&it.name)) {
            Some(never) => Err(Fault::NeverNull {
                ty: self.0.result.ty.clone(),
                name: never.name.clone(),
            }),
            None => Ok(()),
        }
    }

    /// The field with the entity.
    pub(super) fn entity(&self, name: &str) -> Result<EntityField, Fault> {
        let member = self.field("entity", name)?;
        if member.is_list {
            return Err(self.wrong(member, "one entity"));
        }
        let key = member.keys.first().ok_or_else(|| Fault::NoEntityKey {
            ty: member.ty.clone(),
        })?;
        Ok(EntityField {
            field: name.to_owned(),
            ty: member.ty.clone(),
            key: key.clone(),
        })
    }

    /// Checks that it can tell a change, a gap and, where there is a state, a snapshot.
    pub(super) fn check_kinds(&self, has_state: bool) -> Result<(), Fault> {
        let kind = self.field("kind", "kind")?;
        let wanted = ["CHANGE", "GAP"].into_iter();
        let mut wanted = wanted.chain(has_state.then_some("SNAPSHOT"));
        match wanted.find(|wanted| !kind.values.iter().any(|value| value == wanted)) {
            Some(value) => Err(Fault::Kind {
                ty: self.0.result.ty.clone(),
                value,
            }),
            None => Ok(()),
        }
    }
}
