// The ten operations that a first visitor finds, in the order in which they tell a story on a fresh marketplace.
//
// Each is a file of its own, so that what a person reads is what the tests run. A variable of an operation is one
// that `session.js` fills in: `key` and `orderId`.
import browse from "./operations/01-browse.graphql";
import addToCart from "./operations/02-add-to-cart.graphql";
import tooMany from "./operations/03-too-many.graphql";
import watch from "./operations/04-watch.graphql";
import checkout from "./operations/05-checkout.graphql";
import sameKey from "./operations/06-same-key.graphql";
import pay from "./operations/07-pay.graphql";
import history from "./operations/08-history.graphql";
import notYours from "./operations/09-not-yours.graphql";
import tooCostly from "./operations/10-too-costly.graphql";

/** The texts, in order. */
export const OPERATIONS = [
  browse,
  addToCart,
  tooMany,
  watch,
  checkout,
  sameKey,
  pay,
  history,
  notYours,
  tooCostly,
];
