//! Carts in the graph: decode, call, encode. A customer changes only the own cart: the owner is the caller, never an
//! argument.

use ::schema::id::{Quantity, Sku, UserId};
use async_graphql::{Context, ID, InputObject, Object, Result, SimpleObject};
use catalogue::Products;
use chassis::{
    fault,
    graphql::{Money, UserError, principal},
};
use idempotency::{
    Recorded,
    graphql::{key, mark},
};

use super::{Cart, Carts, Error, domain::Prices};
use crate::product::{
    object::{ProductObject, find},
    warning::warn_if_stale,
};

/// What a user is about to order.
pub(crate) struct CartObject(pub(crate) Cart);

/// What a user is about to order. Nothing in it is reserved.
#[Object(name = "Cart")]
impl CartObject {
    /// The cart's id: its owner's.
    async fn id(&self) -> ID {
        ID(self.0.owner().to_string())
    }

    /// The products in it, ascending by SKU.
    async fn lines(&self) -> Vec<CartLine> {
        self.0
            .lines()
            .map(|(sku, count)| CartLine { sku, count })
            .collect()
    }

    /// Units in all lines.
    async fn item_count(&self) -> i32 {
        i32::try_from(self.0.units()).expect("a cart's units are bounded to 2^31 - 1")
    }

    /// What all lines cost at today's prices; null while the catalogue does not have one of the products.
    async fn total(&self, ctx: &Context<'_>) -> Result<Option<Money>> {
        let skus: Vec<Sku> = self.0.lines().map(|(sku, _)| sku).collect();
        let products = ctx
            .data::<Products>()?
            .find_many(&skus)
            .await
            .map_err(fault::graphql)?;
        let prices: Prices = products
            .into_iter()
            .filter_map(|(sku, product)| {
                let product = product?;
                warn_if_stale(ctx, &product);
                Some((sku, product.price))
            })
            .collect();
        Ok(self.0.total(&prices).ok().map(Money::units))
    }
}

/// One product in a cart.
pub(crate) struct CartLine {
    sku: Sku,
    count: Quantity,
}

/// One product in a cart.
#[Object]
impl CartLine {
    /// The product.
    async fn product(&self) -> ProductObject {
        ProductObject::Reference(self.sku)
    }

    /// How many units.
    async fn count(&self) -> i32 {
        i32::try_from(self.count.get()).expect("a cart's units are bounded to 2^31 - 1")
    }

    /// What the line costs at today's price; null while the catalogue does not have the product.
    async fn total(&self, ctx: &Context<'_>) -> Result<Option<Money>> {
        let product = find(ctx, self.sku).await.map_err(fault::graphql)?;
        let units = i64::from(self.count.get());
        Ok(product.map(|product| Money::units(i64::from(product.price) * units)))
    }
}

/// What to put into the cart.
#[derive(InputObject)]
struct AddToCartInput {
    /// The product's SKU.
    sku: ID,
    /// How many units, at least 1.
    count: i32,
    /// A name for this request, 1 to 255 characters: repeated with the same input it changes nothing more. The header
    /// Idempotency-Key is the same.
    idempotency_key: Option<String>,
}

/// What to take out of the cart.
#[derive(InputObject)]
struct RemoveFromCartInput {
    /// The product's SKU.
    sku: ID,
    /// A name for this request, 1 to 255 characters: repeated with the same input it changes nothing more. The header
    /// Idempotency-Key is the same.
    idempotency_key: Option<String>,
}

/// How to empty the cart.
#[derive(InputObject)]
struct ClearCartInput {
    /// A name for this request, 1 to 255 characters: repeated with the same input it changes nothing more. The header
    /// Idempotency-Key is the same.
    idempotency_key: Option<String>,
}

/// The cart after a change, or why there was none.
#[derive(SimpleObject)]
struct CartPayload {
    /// The cart as it is now; null when the change was refused.
    cart: Option<CartObject>,
    /// What you can mend; empty when the change was made.
    user_errors: Vec<UserError>,
}

#[derive(Default)]
pub(crate) struct CartMutation;

#[Object]
impl CartMutation {
    /// Adds units of a product to your cart; repeated adds sum up. Checks the free stock, reserves nothing.
    async fn add_to_cart(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What to add.")] input: AddToCartInput,
    ) -> Result<CartPayload> {
        let owner = caller(ctx)?;
        let add = async {
            let key = key(ctx, input.idempotency_key)?;
            let sku: Sku = input.sku.parse()?;
            let count = Quantity::try_from(i64::from(input.count))?;
            carts(ctx).add_item(owner, sku, count, key).await
        };
        CartPayload::of(ctx, add.await)
    }

    /// Takes a product out of your cart; one that is not in it is no error.
    async fn remove_from_cart(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What to take out.")] input: RemoveFromCartInput,
    ) -> Result<CartPayload> {
        let owner = caller(ctx)?;
        let remove = async {
            let key = key(ctx, input.idempotency_key)?;
            let sku: Sku = input.sku.parse()?;
            carts(ctx).remove_item(owner, sku, key).await
        };
        CartPayload::of(ctx, remove.await)
    }

    /// Empties your cart.
    async fn clear_cart(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Only an idempotency key, if any.")] input: Option<ClearCartInput>,
    ) -> Result<CartPayload> {
        let owner = caller(ctx)?;
        let clear = async {
            let key = key(ctx, input.and_then(|input| input.idempotency_key))?;
            carts(ctx).clear(owner, key).await
        };
        CartPayload::of(ctx, clear.await)
    }
}

impl CartPayload {
    fn of(ctx: &Context<'_>, changed: Result<Recorded<Cart>, Error>) -> Result<Self> {
        match changed {
            Ok(changed) => Ok(Self {
                cart: Some(CartObject(mark(ctx, changed))),
                user_errors: Vec::new(),
            }),
            Err(error) => match UserError::try_of(&error) {
                Some(refusal) => Ok(Self {
                    cart: None,
                    user_errors: vec![refusal],
                }),
                None => Err(fault::graphql(error)),
            },
        }
    }
}

fn carts<'ctx>(ctx: &Context<'ctx>) -> &'ctx Carts {
    ctx.data_unchecked::<Carts>()
}

fn caller(ctx: &Context<'_>) -> Result<UserId> {
    principal(ctx)?.user().map_err(fault::graphql)
}
