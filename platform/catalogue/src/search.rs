//! What a customer types to find a product: words in any order, whatever their case and accents.
//! Names and words are folded in the same way, so `cafe` finds `Café` and `чёрно` finds `Черно`.

use chassis::fault::Coded;
use schema::code::ErrorCode;

use crate::{fold::fold, product::Product};

/// The most characters of a search.
pub const MAX_SEARCH: usize = 100;

/// Words that must all be in the names of a product, in whichever of them; by default none, which every product has.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Search(Vec<Box<str>>);

/// A search over its bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a search has at most {MAX_SEARCH} characters, and this one has {length}")]
pub struct TooLong {
    /// Its characters.
    pub length: usize,
}

impl Coded for TooLong {
    fn code(&self) -> ErrorCode {
        ErrorCode::InvalidArgument
    }

    fn field(&self) -> Option<Vec<String>> {
        Some(vec!["search".to_owned()])
    }
}

impl Search {
    /// Reads what was typed. Without a word it finds every product.
    ///
    /// # Errors
    /// [`TooLong`] over [`MAX_SEARCH`] characters.
    pub fn new(text: &str) -> Result<Self, TooLong> {
        let length = text.chars().count();
        if length > MAX_SEARCH {
            return Err(TooLong { length });
        }
        Ok(Self(fold(text).split_whitespace().map(Box::from).collect()))
    }

    /// Whether it finds this product.
    #[must_use]
    pub fn finds(&self, product: &Product) -> bool {
        self.0.iter().all(|word| product.folded.contains(&**word))
    }
}

#[cfg(test)]
mod tests {
    use schema::id::Sku;

    use super::*;

    fn finds(text: &str, name: &str, name_en: Option<&str>) -> bool {
        let sku = Sku::try_from(1).unwrap();
        let product = Product::new(sku, name, name_en, 1);
        Search::new(text).unwrap().finds(&product)
    }

    #[test]
    fn words_are_found_in_both_names_whatever_their_case_and_accents() {
        let nesbo = ("Пентаграмма | Несбе Ю", Some("The Devil's Star | Jo Nesbø"));
        for text in [
            "",
            "  ",
            "пента",
            "ПЕНТАГРАММА",
            "star",
            "STAR devil",
            "nesbo",
            "NESBØ",
            "Несбе jo",
            "пентаграмма star",
            "ю the",
        ] {
            assert!(finds(text, nesbo.0, nesbo.1), "{text:?}");
        }
        for text in ["stars", "пентаграмма moon", "юthe", "%", "_", ".*"] {
            assert!(!finds(text, nesbo.0, nesbo.1), "{text:?}");
        }
        for (text, name) in [
            ("cafe noir", "Café Noir. Вечерний джаз"),
            ("café", "Cafe"),
            ("cafe\u{301}", "CAFÉ"),
            ("чёрно", "Черно-белый танец"),
            ("черно", "Чёрно-белый танец"),
            ("йод", "Иод"),
            ("strasse", "Straße"),
            ("ﬁne", "fine nib"),
            ("26 см", "сковорода, 26\u{a0}см"),
        ] {
            assert!(finds(text, name, None), "{text:?} in {name:?}");
        }
    }

    #[test]
    fn a_search_has_a_bound_that_counts_characters() {
        assert!(Search::new(&"ё".repeat(100)).is_ok());
        let error = Search::new(&"ё".repeat(101)).unwrap_err();
        assert_eq!(error, TooLong { length: 101 });
        assert_eq!(
            error.to_string(),
            "a search has at most 100 characters, and this one has 101"
        );
    }
}
