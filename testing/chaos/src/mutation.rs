//! What a buyer asks for: the work, by which protocol, and under which idempotency key.

use rand::Rng as _;
use rand::rngs::StdRng;
use uuid::Uuid;

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Work {
    /// Units into the cart.
    Add { sku: i64, count: u32 },
    /// The cart becomes an order.
    Checkout,
    /// An order without a cart: SKUs and units, line by line.
    Create(Vec<(i64, u32)>),
    /// An order is paid.
    Pay(i64),
    /// An order is called off.
    Cancel(i64),
}

impl Work {
    /// Whether the shop may refuse an honest buyer with this code.
    pub(crate) fn may_be_refused(&self, code: &str) -> bool {
        match self {
            Self::Add { .. } | Self::Create(_) => code == "OUT_OF_STOCK",
            Self::Checkout => matches!(code, "OUT_OF_STOCK" | "CART_EMPTY"),
            Self::Pay(_) => code == "ORDER_NOT_PAYABLE",
            Self::Cancel(_) => code == "ORDER_NOT_CANCELLABLE",
        }
    }

    /// The work is about the cart, which gRPC does not know.
    const fn is_of_the_cart(&self) -> bool {
        matches!(self, Self::Add { .. } | Self::Checkout)
    }
}

/// How it is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Protocol {
    Graphql,
    /// The paths of the older marketplace.
    Rest,
    /// The order service's own API, past the router.
    Grpc,
}

impl Protocol {
    /// As a report has it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Graphql => "GraphQL",
            Self::Rest => "REST",
            Self::Grpc => "gRPC",
        }
    }

    /// Half of what is about orders, and three quarters of what is about carts, go by GraphQL.
    fn draw(random: &mut StdRng, work: &Work) -> Self {
        match random.random_range(0..4) {
            0 => Self::Rest,
            1 if !work.is_of_the_cart() => Self::Grpc,
            _ => Self::Graphql,
        }
    }
}

/// One mutation. Sent twice, it must be answered the same.
#[derive(Debug, Clone)]
pub(crate) struct Mutation {
    pub(crate) user: i64,
    pub(crate) token: String,
    pub(crate) work: Work,
    pub(crate) protocol: Protocol,
    /// A key that no other mutation has.
    pub(crate) key: String,
}

impl Mutation {
    /// A mutation of this user, by a protocol that is drawn.
    pub(crate) fn new(user: i64, token: &str, work: Work, random: &mut StdRng) -> Self {
        Self {
            user,
            token: token.to_owned(),
            protocol: Protocol::draw(random, &work),
            work,
            key: Uuid::new_v4().to_string(),
        }
    }
}
