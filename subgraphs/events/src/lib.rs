//! The `events` subgraph: the live subscriptions, declared here and served by the router itself.
//!
//! No process of its own: its SDL takes part in composition, and the router answers its fields from the order-event
//! stream. Invariant: a frame that the router emits has exactly the fields of the SDL's `OrderEvent` or
//! `StockEvent`, which is what [`FRAME_FIELDS`] and [`STOCK_FRAME_FIELDS`] list and a test compares.

/// The subgraph's name in the supergraph.
pub const NAME: &str = "events";

/// The subgraph's SDL, the input of composition.
#[must_use]
pub const fn sdl() -> &'static str {
    schema::sdl::EVENTS
}

/// One field of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FrameField {
    /// Its name in the graph and in the router's frame.
    pub name: &'static str,
    /// Its GraphQL type.
    pub graphql_type: &'static str,
    /// Whether it may be null in a frame of kind GAP, which speaks of no single change.
    pub null_on_gap: bool,
}

const fn always(name: &'static str, graphql_type: &'static str) -> FrameField {
    FrameField {
        name,
        graphql_type,
        null_on_gap: false,
    }
}

const fn of_a_change(name: &'static str, graphql_type: &'static str) -> FrameField {
    FrameField {
        name,
        graphql_type,
        null_on_gap: true,
    }
}

/// The fields of a frame, in the order of the SDL.
pub const FRAME_FIELDS: &[FrameField] = &[
    always("kind", "OrderEventKind!"),
    always("cursor", "Cursor!"),
    of_a_change("orderId", "ID"),
    of_a_change("version", "Int"),
    of_a_change("status", "OrderStatus"),
    of_a_change("at", "DateTime"),
    of_a_change("order", "Order"),
];

/// The fields of a frame of `stockEvents`, in the order of the SDL.
pub const STOCK_FRAME_FIELDS: &[FrameField] = &[
    always("kind", "StockEventKind!"),
    always("cursor", "Cursor!"),
    always("sku", "ID!"),
    of_a_change("version", "Int"),
    of_a_change("available", "Int"),
    of_a_change("at", "DateTime"),
    of_a_change("product", "Product"),
];

/// The kinds of a frame, as the graph names them.
pub const FRAME_KINDS: &[&str] = &["SNAPSHOT", "CHANGE", "GAP"];

/// The query fields that the router answers itself.
pub const ROUTER_FIELDS: &[&str] = &["orderEventsCursor", "rateLimit"];

/// The subscription fields that the router serves.
pub const SUBSCRIPTION_FIELDS: &[&str] = &[
    "orderEvents",
    "myOrderEvents",
    "allOrderEvents",
    "stockEvents",
];
