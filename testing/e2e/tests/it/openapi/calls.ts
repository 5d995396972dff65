// A call of each document by each of two generated clients: openapi-typescript's types, and the SDK of @hey-api/openapi-ts.
import createClient from "openapi-fetch";
import type { components, paths as Loms } from "./types/loms";
import type { paths as Cart } from "./types/cart";
import type { paths as Comments } from "./types/comments";
import type { paths as Product } from "./types/product";
import { addToCart } from "./sdk/cart";
import { client as cartClient } from "./sdk/cart/client.gen";
import { orderInfo, type OrderInfoResponse, type OrderInfoResponseItem } from "./sdk/loms";
import { client as lomsClient } from "./sdk/loms/client.gen";
import { commentAdd, type CommentAddRequest } from "./sdk/comments";
import { client as commentsClient } from "./sdk/comments/client.gen";
import { findProduct, type Product as Named } from "./sdk/product";
import { client as productClient } from "./sdk/product/client.gen";

const sku = "1076963";
const at = (name: string) => ({ baseUrl: process.env[name]! });
cartClient.setConfig(at("CART"));
lomsClient.setConfig(at("LOMS"));
commentsClient.setConfig(at("COMMENTS"));
productClient.setConfig({ ...at("PRODUCT"), headers: { "X-API-KEY": "testToken" } });

/** What came, or the reason why nothing did. */
function given<T>(what: string, { data, error }: { data?: T; error?: unknown }): T {
  if (data === undefined) throw new Error(`${what}: ${JSON.stringify(error)}`);
  return data;
}

async function main() {
  const line: components["schemas"]["OrderCreateRequestItem"] = { sku, count: 1 };
  const body = { userId: "7", items: [line] };
  const { orderId } = given("create", await createClient<Loms>(at("LOMS")).POST("/order/create", { body }));
  const order: OrderInfoResponse = given("info", await orderInfo({ query: { orderId } }));
  const [item]: OrderInfoResponseItem[] = order.items;
  if (order.userId !== "7" || item?.sku !== sku) throw new Error(JSON.stringify(order));

  const path = { user_id: 7, sku_id: Number(sku) };
  const added = await addToCart({ path: path as never, body: { count: 2 } });
  if (!added.response?.ok) throw new Error(`add: ${JSON.stringify(added.error)}`);
  const listed = await createClient<Cart>(at("CART")).GET("/user/{user_id}/cart", { params: { path } });
  if (given("list", listed).items[0]?.name === undefined) throw new Error("a line without a name");

  const said: CommentAddRequest = { userId: "7", sku, comment: "As promised." };
  const { id } = given("comment", await commentAdd({ body: said }));
  const read = await createClient<Comments>(at("COMMENTS")).POST("/comment/get-by-id", { body: { id } });
  if (given("get", read).userId !== said.userId) throw new Error("another author");

  const named: Named = given("product", await findProduct({ path: { sku: Number(sku) as never }, query: { translations: true } }));
  const headers = { "X-API-KEY": "testToken" };
  const page = await createClient<Product>({ ...at("PRODUCT"), headers }).GET("/product", { params: { query: { count: 1 } } });
  if (given("products", page)[0]?.name !== named.name || !named.translations?.en) throw new Error(JSON.stringify(named));
}

main().then(
  () => console.log("every call of the generated clients was answered"),
  (error) => {
    console.error(error);
    process.exitCode = 1;
  },
);
