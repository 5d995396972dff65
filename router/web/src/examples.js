// The tabs that a first visitor finds. They run against the seeded catalogue, in this order.

const BROWSE = `# The catalogue with stock and comments:
# three subgraphs, one answer.
query Browse {
  products(first: 5) {
    nodes {
      sku
      name
      price { amount currency }
      stock { available }
      comments(first: 3) {
        nodes { text createdAt author { id } }
      }
    }
    pageInfo { hasNextPage endCursor }
  }
}
`;

const ADD_TO_CART = `# Puts two units into your cart.
# What you can mend comes back in userErrors.
mutation AddToCart($input: AddToCartInput!) {
  addToCart(input: $input) {
    cart {
      itemCount
      total { amount currency }
      lines { count product { sku name stock { available } } }
    }
    userErrors { code field message }
  }
}
`;

const WATCH = `# Every change of your orders, live. Leave it running,
# and check out in a second window of this page:
# GraphiQL stops a subscription when you change the tab.
# To miss nothing, pass the last cursor as \`after\`.
subscription WatchMyOrders {
  myOrderEvents {
    kind
    orderId
    version
    status
    at
    cursor
    order {
      total { amount currency }
      lines { count product { name } }
    }
  }
}
`;

const CHECKOUT = `# Orders what is in your cart. The units are reserved
# until you pay or the order expires.
mutation Checkout {
  checkout(input: {}) {
    order {
      id
      status
      version
      expiresAt
      total { amount currency }
    }
    userErrors { code field message }
  }
}
`;

const MY_ORDERS = `# Your newest orders. Subscribe after the cursor
# that you read here, and nothing in between is missed.
query MyOrders {
  orderEventsCursor
  me {
    id
    orders(first: 5) {
      totalCount
      nodes { id status version createdAt history { status at version } }
    }
  }
}
`;

const PAY = `# Pays an order that awaits payment: take an id
# from "MyOrders". A repeat changes nothing.
mutation Pay($input: PayOrderInput!) {
  payOrder(input: $input) {
    order { id status version history { status at } }
    userErrors { code field message }
  }
}
`;

const COMMENT = `# Says something about a product.
# You may edit it until editableUntil.
mutation AddComment($input: AddCommentInput!) {
  addComment(input: $input) {
    comment {
      id
      text
      createdAt
      editableUntil
      product { name comments(first: 3) { totalCount nodes { text } } }
    }
    userErrors { code field message }
  }
}
`;

/** GraphiQL's default tabs. */
export const TABS = [
  { query: BROWSE },
  { query: ADD_TO_CART, variables: json({ input: { sku: "2618151", count: 2 } }) },
  { query: WATCH },
  { query: CHECKOUT },
  { query: MY_ORDERS },
  { query: PAY, variables: json({ input: { orderId: "1" } }) },
  { query: COMMENT, variables: json({ input: { sku: "2618151", text: "Just what I needed." } }) },
];

function json(value) {
  return JSON.stringify(value, null, 2);
}
