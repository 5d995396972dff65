//! Which service a span or a line is of, where several share a process: by the crate that opened it.
//!
//! A crate that several services use says nothing; then it is the service that the span's name tells, or that of the span
//! around it.

use std::collections::HashMap;

use chassis::telemetry::recent::Span;

/// Crates of one service each, as `tracing` writes them.
const CRATES: [(&str, &str); 11] = [
    ("cart", "cart"),
    ("comments", "comments"),
    ("federation", "router"),
    ("loms", "loms"),
    ("notifier", "notifier"),
    ("order_stream", "router"),
    ("outbox", "loms"),
    ("product", "product"),
    ("product_service", "product"),
    ("rest", "router"),
    ("router", "router"),
];
/// What nobody's is: the program that runs all services.
pub(crate) const SHARED: &str = "marketplace";

/// The service of a module; none where several use it.
#[must_use]
pub fn of_target(target: &str) -> Option<&'static str> {
    let krate = target.split("::").next()?;
    let found = CRATES.iter().find(|(name, _)| *name == krate);
    found.map(|(_, service)| *service)
}

/// The service of each span of a trace, in their order.
pub(crate) fn of_spans(spans: &[Span]) -> Vec<String> {
    let places: HashMap<&str, usize> = spans
        .iter()
        .enumerate()
        .map(|(place, span)| (span.span_id.as_str(), place))
        .collect();
    let of = |start: usize| {
        let mut place = start;
        // A circle of parents is no tree; it ends after as many steps as there are spans.
        for _ in 0..=spans.len() {
            let span = &spans[place];
            if let Some(service) = own(span) {
                return service;
            }
            let parent = span.parent_id.as_deref().and_then(|it| places.get(it));
            match parent {
                Some(parent) => place = *parent,
                None => break,
            }
        }
        SHARED.to_owned()
    };
    (0..spans.len()).map(of).collect()
}

/// The service that the span itself tells.
fn own(span: &Span) -> Option<String> {
    if let Some(service) = of_target(&span.target) {
        return Some(service.to_owned());
    }
    if !span.is_entry {
        return None;
    }
    let name = span.name.as_str();
    if let Some(subgraph) = name.strip_prefix("subgraph ") {
        return Some(subgraph.to_owned());
    }
    // `POST /graphql` of the router or `GET /product/{sku}`; else `loms.Loms/OrderCreate` of a gRPC face.
    match name.split_once(' ') {
        Some((_, route)) if route.starts_with("/product") => Some("product".to_owned()),
        Some(_) => Some("router".to_owned()),
        None => {
            let package = name.split(['.', '/']).next()?;
            let service = if package == "Loms" { "loms" } else { package };
            Some(service.to_owned())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(id: u32, parent: u32, name: &str, target: &str, is_entry: bool) -> Span {
        Span {
            trace_id: "t".to_owned(),
            span_id: id.to_string(),
            parent_id: (parent > 0).then(|| parent.to_string()),
            name: name.to_owned(),
            is_entry,
            target: target.to_owned(),
            start_us: 0,
            duration_us: 0,
            error: false,
            attributes: Vec::new(),
        }
    }

    /// The trace of docs/telemetry.md.
    #[test]
    fn the_spans_of_one_process_are_told_apart_by_service() {
        let spans = [
            span(1, 0, "POST /graphql", "chassis::telemetry::http", true),
            span(2, 1, "fetch cart", "federation::subgraph::guard", false),
            span(3, 2, "subgraph cart", "chassis::graphql::observe", true),
            span(4, 3, "sea_orm.begin", "sea_orm::database", false),
            span(5, 3, "loms.Loms/OrderCreate", "cart::loms", false),
            span(
                6,
                5,
                "loms.Loms/OrderCreate",
                "chassis::grpc::observe",
                true,
            ),
            span(7, 6, "sea_orm.execute", "sea_orm::database", false),
            span(8, 6, "publish loms.order-events", "outbox::relay", false),
            span(9, 8, "handle order event", "notifier::handle", true),
            span(10, 3, "GET product", "catalogue::client", false),
            span(
                11,
                10,
                "GET /product/{sku}",
                "chassis::telemetry::http",
                true,
            ),
            span(12, 99, "sea_orm.begin", "sea_orm::database", false),
        ];
        let of = of_spans(&spans);
        let wanted = [
            "router", "router", "cart", "cart", "cart", "loms", "loms", "loms", "notifier", "cart",
            "product", SHARED,
        ];
        assert_eq!(of, wanted);
    }

    #[test]
    fn parents_in_a_circle_end() {
        let spans = [
            span(1, 2, "a", "sea_orm", false),
            span(2, 1, "b", "sea_orm", false),
        ];
        assert_eq!(of_spans(&spans), [SHARED, SHARED]);
    }
}
