//! By how much a product is short of what is asked for: said by LOMS, and by the cart to its client.

use std::{fmt, str::FromStr};

use crate::id::Sku;

/// The gRPC metadata in which a refusal of LOMS carries a [`Shortage`], as its text form has it.
pub const SHORTAGE_METADATA: &str = "x-shortage";

/// Fewer units of a product are free than one request asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Shortage {
    /// The product.
    pub sku: Sku,
    /// Units that were asked for in all lines; 0 for a refusal that was stored before they were told.
    pub wanted: i64,
    /// Units that could be ordered then; 0 without a stock row.
    pub free: i64,
}

impl Shortage {
    /// The text form: SKU, wanted and free units with commas between them, which [`FromStr`] reads.
    #[must_use]
    pub fn text(&self) -> String {
        format!("{},{},{}", self.sku, self.wanted, self.free)
    }
}

/// Says it to the buyer.
impl fmt::Display for Shortage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { sku, wanted, free } = self;
        write!(f, "sku {sku} has too little free stock")?;
        if *wanted > 0 {
            write!(f, ": {wanted} asked for, {free} free")?;
        }
        Ok(())
    }
}

/// What is no text form of a [`Shortage`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no shortage: a SKU and two numbers with commas between them")]
pub struct NoShortage;

impl FromStr for Shortage {
    type Err = NoShortage;

    fn from_str(text: &str) -> Result<Self, NoShortage> {
        let parts: Vec<&str> = text.split(',').collect();
        let [sku, wanted, free] = parts[..] else {
            return Err(NoShortage);
        };
        let units = |text: &str| text.parse().map_err(|_| NoShortage);
        Ok(Self {
            sku: sku.parse().map_err(|_| NoShortage)?,
            wanted: units(wanted)?,
            free: units(free)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shortage_reads_back_and_says_how_many_there_are() {
        let sku = Sku::try_from(7).unwrap();
        let short = Shortage {
            sku,
            wanted: 3,
            free: 1,
        };
        assert_eq!(short.text().parse(), Ok(short));
        assert_eq!(
            short.to_string(),
            "sku 7 has too little free stock: 3 asked for, 1 free"
        );
        for bad in ["", "7", "7,3", "7,3,1,0", "0,3,1", "7,x,1", "7, 3, 1"] {
            assert_eq!(bad.parse::<Shortage>(), Err(NoShortage), "{bad:?}");
        }
        let stored = Shortage { wanted: 0, ..short };
        assert_eq!(stored.to_string(), "sku 7 has too little free stock");
    }
}
