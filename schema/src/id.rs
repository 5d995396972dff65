//! Ids and quantities as the contracts bound them. A value of these types is always legal.

use std::{fmt, num::ParseIntError, str::FromStr};

/// A number outside the range its type allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{what} must be a whole number greater than 0")]
pub struct OutOfRange {
    /// The kind of value that was refused, as the contract names it.
    pub what: &'static str,
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $what:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(i64);

        impl $name {
            /// The number inside, 1 to 2^63 - 1.
            #[must_use]
            pub const fn get(self) -> i64 {
                self.0
            }
        }

        impl TryFrom<i64> for $name {
            type Error = OutOfRange;

            fn try_from(value: i64) -> Result<Self, OutOfRange> {
                if value > 0 { Ok(Self(value)) } else { Err(OutOfRange { what: $what }) }
            }
        }

        impl FromStr for $name {
            type Err = OutOfRange;

            /// Reads plain decimal digits: no sign, no blanks, no fraction. Zeros in front are not part of the id, so that
            /// an id is the same value, and is written in the same way, however its client wrote it.
            fn from_str(text: &str) -> Result<Self, OutOfRange> {
                digits(text).ok_or(OutOfRange { what: $what }).and_then(Self::try_from)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

id!(
    /// A buyer. Source: docs/contracts.md §1.
    UserId,
    "user id"
);
id!(
    /// An order, numbered from 1. Source: docs/contracts.md §3.
    OrderId,
    "order id"
);
id!(
    /// A stock keeping unit. Source: docs/contracts.md §1.
    Sku,
    "sku"
);
id!(
    /// A comment; the remainder by 1,000 names its shard. Source: docs/contracts.md §6.
    CommentId,
    "comment id"
);

/// Units of one SKU: 1 to 2^32 - 1. Source: docs/contracts.md §1 and §3 (`uint32`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Quantity(u32);

impl Quantity {
    /// The number of units.
    #[must_use]
    pub const fn get(self) -> u32 {
        self.0
    }
}

impl TryFrom<u32> for Quantity {
    type Error = OutOfRange;

    fn try_from(value: u32) -> Result<Self, OutOfRange> {
        if value > 0 {
            Ok(Self(value))
        } else {
            Err(OutOfRange { what: "count" })
        }
    }
}

impl TryFrom<i64> for Quantity {
    type Error = OutOfRange;

    fn try_from(value: i64) -> Result<Self, OutOfRange> {
        u32::try_from(value)
            .map_err(|_| OutOfRange { what: "count" })
            .and_then(Self::try_from)
    }
}

impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

fn digits(text: &str) -> Option<i64> {
    let plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if plain {
        text.parse().map_err(|_: ParseIntError| ()).ok()
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_plain_digits_above_zero() {
        assert_eq!(
            "9223372036854775807".parse::<Sku>().map(Sku::get),
            Ok(i64::MAX)
        );
        assert_eq!(
            "007".parse::<Sku>().map(|sku| sku.to_string()).as_deref(),
            Ok("7")
        );
        for bad in [
            "",
            "0",
            "00",
            "1e3",
            "1 ",
            "１",
            "-1",
            "+1",
            " 1",
            "1.0",
            "9223372036854775808",
            "abc",
        ] {
            assert!(bad.parse::<Sku>().is_err(), "{bad:?} must be refused");
        }
    }

    #[test]
    fn a_quantity_fits_uint32() {
        assert_eq!(
            Quantity::try_from(4_294_967_295_i64).map(Quantity::get),
            Ok(u32::MAX)
        );
        for bad in [0, -1, 4_294_967_296_i64] {
            assert!(Quantity::try_from(bad).is_err(), "{bad} must be refused");
        }
    }
}
