//! Text without case and accents: compatibility decomposition without the combining marks (Unicode Standard Annex 15), then
//! lower case.

use std::sync::Arc;

use unicode_normalization::{UnicodeNormalization as _, char::is_combining_mark};

/// Both names of a product, folded; a line end keeps a word from reaching over both.
pub(crate) fn fold_names(name: &str, name_en: Option<&str>) -> Arc<str> {
    let names = [name, name_en.unwrap_or_default()].join("\n");
    fold(&names).into()
}

/// What is left of a text when case and accents do not count.
pub(crate) fn fold(text: &str) -> String {
    let bare = text.nfkd().filter(|sign| !is_combining_mark(*sign));
    let mut folded = String::with_capacity(text.len());
    for sign in bare.flat_map(char::to_lowercase) {
        match undecomposed(sign) {
            Some(plain) => folded.push_str(plain),
            None => folded.push(sign),
        }
    }
    folded
}

/// Letters with a stroke or joined, which Unicode does not decompose.
const fn undecomposed(sign: char) -> Option<&'static str> {
    Some(match sign {
        'ø' => "o",
        'ł' => "l",
        'đ' => "d",
        'ı' => "i",
        'ß' => "ss",
        'æ' => "ae",
        'œ' => "oe",
        _ => return None,
    })
}
