//! Changes of a cart, and the names that callers give them: a change that is repeated under its name (its idempotency
//! key) is made once and answered the same way again. Pure, no I/O.

use schema::id::{Quantity, Sku};

use super::Refusal;

/// What may happen to a cart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// Units of a product come in.
    Add(Sku, Quantity),
    /// A product's line goes.
    Remove(Sku),
    /// All lines go.
    Clear,
}

impl Change {
    /// The operation: each has its own set of names.
    #[must_use]
    pub const fn operation(self) -> &'static str {
        match self {
            Self::Add(..) => "add",
            Self::Remove(_) => "remove",
            Self::Clear => "clear",
        }
    }

    /// What is asked, as text that only the same input has.
    #[must_use]
    pub fn input(self) -> String {
        match self {
            Self::Add(sku, count) => format!("{sku} {count}"),
            Self::Remove(sku) => sku.to_string(),
            Self::Clear => String::new(),
        }
    }

    /// Tells what a stored answer under this change's name means for it.
    ///
    /// # Errors
    /// The [`Refusal`] that was the answer, or [`Refusal::KeyReused`] when the answer belongs to another input.
    pub fn repeated(self, input: &str, refusal: Option<&str>) -> Result<(), Refusal> {
        if input != self.input() {
            return Err(Refusal::KeyReused);
        }
        match (refusal, self) {
            (Some(name), Self::Add(sku, _)) => Err(Refusal::named(name, sku)),
            (Some(_), Self::Remove(_) | Self::Clear) | (None, _) => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stored_answer_is_the_same_input_s_alone() {
        let sku = Sku::try_from(7).unwrap();
        let add = |count: u32| Change::Add(sku, Quantity::try_from(count).unwrap());
        assert_eq!(add(2).repeated(&add(2).input(), None), Ok(()));
        assert_eq!(
            add(2).repeated(&add(3).input(), None),
            Err(Refusal::KeyReused)
        );
        for refusal in [
            Refusal::ProductNotFound { sku },
            Refusal::OutOfStock { sku },
            Refusal::TooManyUnits { sku },
            Refusal::TooManyLines,
        ] {
            let stored = Some(refusal.name());
            assert_eq!(add(2).repeated(&add(2).input(), stored), Err(refusal));
        }
    }
}
