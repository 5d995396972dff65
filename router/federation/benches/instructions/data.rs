//! The shop of the public federation benchmark in outline: six users, nine products, sixteen reviews by two of the users.

use serde_json::{Map, Value as Json, json};

const USERS: [(&str, &str); 6] = [
    ("Ada Lovelace", "ada"),
    ("Alan Turing", "alan"),
    ("Grace Hopper", "grace"),
    ("Edsger Dijkstra", "edsger"),
    ("Barbara Liskov", "barbara"),
    ("Donald Knuth", "donald"),
];

const PRODUCTS: [(&str, u32, u32, bool); 9] = [
    ("Table", 899, 100, true),
    ("Couch", 1_299, 1_000, false),
    ("Glass", 15, 20, false),
    ("Chair", 499, 100, false),
    ("Television", 1_299, 1_000, true),
    ("Lamp", 6_999, 300, true),
    ("Grill", 3_999, 2_000, true),
    ("Fridge", 100_000, 6_000, false),
    ("Sofa", 9_999, 800, true),
];

/// Author and product of each review.
const REVIEWS: [(usize, usize); 16] = [
    (1, 1),
    (1, 2),
    (2, 3),
    (2, 1),
    (1, 4),
    (2, 5),
    (1, 1),
    (2, 2),
    (1, 3),
    (2, 4),
    (1, 5),
    (2, 2),
    (1, 3),
    (2, 4),
    (1, 5),
    (2, 1),
];

const BODIES: [&str; 4] = [
    "Love it!",
    "Too expensive.",
    "Could be better.",
    "As described \u{2014} would buy again.",
];

fn user(number: usize) -> String {
    format!("User:{number}")
}

fn product(number: usize) -> String {
    format!("Product:{number}")
}

/// Links to the reviews that fit.
fn reviews(fits: impl Fn((usize, usize)) -> bool) -> Json {
    let numbered = (1..).zip(REVIEWS);
    let fitting = numbered.filter(|(_, review)| fits(*review));
    fitting
        .map(|(number, _): (usize, _)| json!({ "$ref": format!("Review:{number}") }))
        .collect()
}

/// The data of all subgraphs together, as the executor of the tests reads it.
pub(crate) fn data() -> Json {
    let mut entities = Map::new();
    for (number, (name, username)) in (1..).zip(USERS) {
        let entity = json!({
            "id": number.to_string(), "name": name, "username": username,
            "reviews": reviews(|(author, _)| author == number),
        });
        entities.insert(user(number), entity);
    }
    for (number, (name, price, weight, stock)) in (1..).zip(PRODUCTS) {
        let entity = json!({
            "upc": number.to_string(), "name": name, "price": price, "weight": weight,
            "inStock": stock, "shippingEstimate": if price > 1_000 { 0 } else { weight / 2 },
            "reviews": reviews(|(_, of)| of == number),
        });
        entities.insert(product(number), entity);
    }
    for (number, (author, of)) in (1..).zip(REVIEWS) {
        let number: usize = number;
        let entity = json!({
            "id": number.to_string(), "body": BODIES[number % BODIES.len()],
            "author": { "$ref": user(author) }, "product": { "$ref": product(of) },
        });
        entities.insert(format!("Review:{number}"), entity);
    }
    let refs = |name: &str, count: usize| -> Json {
        let all = (1..=count).map(|number| json!({ "$ref": format!("{name}:{number}") }));
        all.collect()
    };
    json!({
        "Query": { "users": refs("User", USERS.len()), "topProducts": refs("Product", 5) },
        "entities": entities,
    })
}
