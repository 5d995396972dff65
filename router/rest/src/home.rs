//! What a person sees who opens a listener's address in a browser: what it is, and where its documents are.
//!
//! Programs get what they always got there. Source: docs/contracts.md §3, "an unknown path".

use axum::{
    http::{HeaderMap, header},
    response::{Html, IntoResponse as _, Response},
};

/// The page of a listener for whoever prefers HTML, as browsers do and no client of an API does.
pub(super) fn page(title: &str, about: &str, headers: &HeaderMap) -> Option<Response> {
    let accepted = headers.get_all(header::ACCEPT).iter();
    let mut accepted = accepted.filter_map(|value| value.to_str().ok());
    accepted
        .any(|types| types.contains("text/html"))
        .then(|| Html(html(title, about)).into_response())
}

fn html(title: &str, about: &str) -> String {
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>{title}</title>\n\
         <link rel=\"icon\" href=\"data:,\">\n</head>\n<body>\n<main>\n<h1>{title}</h1>\n<p>{about}</p>\n<ul>\n\
         <li><a href=\"/docs/\">Documents, to read and to try</a></li>\n\
         <li><a href=\"/openapi.json\">The same as OpenAPI</a></li>\n</ul>\n</main>\n</body>\n</html>\n"
    )
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn only_a_browser_gets_the_page() {
        let page = |accept: &'static str| {
            let headers =
                HeaderMap::from_iter([(header::ACCEPT, HeaderValue::from_static(accept))]);
            page("Cart", "Carts.", &headers)
        };
        assert!(page("text/html,application/xhtml+xml,*/*;q=0.8").is_some());
        assert!(page("*/*").is_none(), "curl");
        assert!(page("application/json").is_none());
    }
}
