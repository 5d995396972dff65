//! The client whose messages were compiled long ago: requests and answers as bytes, written by hand.
//!
//! Nothing here uses our `.proto` files, so a changed number, type or method name fails. Source: docs/contracts.md §3, §6.

use bytes::{Buf as _, BufMut as _};
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::codegen::http::uri::PathAndQuery;
use tonic::{Request, Status, client::Grpc, transport::Channel};

use crate::shop::Shop;

/// A codec that leaves messages as they are.
#[derive(Debug, Clone, Copy, Default)]
struct Raw;

impl Codec for Raw {
    type Encode = Vec<u8>;
    type Decode = Vec<u8>;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        *self
    }

    fn decoder(&mut self) -> Self {
        *self
    }
}

impl Encoder for Raw {
    type Item = Vec<u8>;
    type Error = Status;

    fn encode(&mut self, message: Vec<u8>, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        buffer.put_slice(&message);
        Ok(())
    }
}

impl Decoder for Raw {
    type Item = Vec<u8>;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<Vec<u8>>, Status> {
        let length = buffer.remaining();
        Ok(Some(buffer.copy_to_bytes(length).to_vec()))
    }
}

/// A connection that calls by path with bytes.
struct Wire(Channel);

impl Wire {
    async fn dial(shop: &Shop, port: u16) -> Self {
        let endpoint = Channel::from_shared(shop.url(port)).unwrap();
        Self(endpoint.connect().await.unwrap())
    }

    async fn try_call(&self, path: &'static str, message: &[u8]) -> Result<Vec<u8>, Status> {
        let mut grpc = Grpc::new(self.0.clone());
        grpc.ready().await.unwrap();
        let path = PathAndQuery::from_static(path);
        let answer = grpc
            .unary(Request::new(message.to_vec()), path, Raw)
            .await?;
        Ok(answer.into_inner())
    }

    async fn call(&self, path: &'static str, message: &[u8]) -> Vec<u8> {
        let answer = self.try_call(path, message).await;
        answer.unwrap_or_else(|status| panic!("{path} {message:02x?}: {status}"))
    }
}

/// The id in an answer that is field 1 as a varint and nothing else: it follows the tag 0x08.
fn id(answer: &[u8]) -> Vec<u8> {
    assert_eq!(answer.first(), Some(&0x08), "{answer:02x?}");
    let (last, rest) = answer[1..].split_last().unwrap();
    assert!(
        *last < 0x80 && rest.iter().all(|byte| *byte >= 0x80),
        "{answer:02x?}"
    );
    answer[1..].to_vec()
}

/// The tag 0x08, 0x10, 0x18: a varint of field 1, 2, 3; 0x0a, 0x12, 0x1a: bytes of a length of field 1, 2, 3.
fn message(parts: &[&[u8]]) -> Vec<u8> {
    parts.concat()
}

// 139275865 of `sku = 1`, two of `count = 2`.
const ITEM: &[u8] = &[0x08, 0xd9, 0xdc, 0xb4, 0x42, 0x10, 0x02];
// User 77777.
const USER: &[u8] = &[0xd1, 0xdf, 0x04];

/// Seen red with `OrderInfoResponse.user_id` given the number 3 and `items` the number 2, as one of the family has them.
#[tokio::test]
async fn bytes_of_loms_mean_what_they_meant() {
    let shop = Shop::shared().await;
    let wire = Wire::dial(shop, 8083).await;
    let create = message(&[&[0x08], USER, &[0x12, 0x07], ITEM]);
    let created = wire.call("/loms.Loms/OrderCreate", &create).await;
    let order = message(&[&[0x08], &id(&created)]);

    let info = wire.call("/loms.Loms/OrderInfo", &order).await;
    let lines = message(&[&[0x10], USER, &[0x1a, 0x07], ITEM]);
    assert_eq!(
        info,
        message(&[b"\x0a\x10awaiting payment", &lines]),
        "{info:02x?}"
    );
    assert_eq!(wire.call("/Loms/OrderPay", &order).await, [0_u8; 0]);
    let info = wire.call("/Loms/OrderInfo", &order).await;
    assert_eq!(info, message(&[b"\x0a\x04paid", &lines]), "{info:02x?}");

    let created = wire.call("/Loms/OrderCreate", &create).await;
    let order = message(&[&[0x08], &id(&created)]);
    assert_eq!(wire.call("/loms.Loms/OrderCancel", &order).await, [0_u8; 0]);

    let stock = wire.call("/loms.Loms/StocksInfo", &ITEM[..5]).await;
    assert!(!id(&stock).is_empty());
    // Reserved whole: a count of 0 is the default, which is not written. SKU 139819069.
    let none = [0x08, 0xbd, 0xf0, 0xd5, 0x42];
    assert_eq!(wire.call("/Loms/StocksInfo", &none).await, [0_u8; 0]);
}

/// Fields that a server does not know are skipped, so a newer client is understood. Seen red with the count of
/// `StocksInfoResponse` as field 2, as one of the family has it.
#[tokio::test]
async fn unknown_fields_are_skipped() {
    let shop = Shop::shared().await;
    let wire = Wire::dial(shop, 8083).await;
    // Field 100 as bytes: the tag takes two bytes.
    let newer = message(&[&ITEM[..5], &[0xa2, 0x06, 0x03], b"new"]);
    assert!(!id(&wire.call("/loms.Loms/StocksInfo", &newer).await).is_empty());
}

/// Seen red with `CommentGetByIDResponse` numbered as the other member has it: user 1, sku 2, comment 3, id 4.
#[tokio::test]
async fn bytes_of_comments_mean_what_they_meant() {
    let shop = Shop::shared().await;
    let wire = Wire::dial(shop, 8085).await;
    // SKU 987654321.
    let sku: &[u8] = &[0xb1, 0xd1, 0xf9, 0xd6, 0x03];
    let add = message(&[&[0x08], USER, &[0x10], sku, b"\x1a\x02hi"]);
    let added = wire.call("/comments.Comments/CommentAdd", &add).await;
    let id = id(&added);

    let edit = message(&[&[0x08], USER, &[0x10], &id, b"\x1a\x03hey"]);
    assert_eq!(wire.call("/Comments/CommentEdit", &edit).await, [0_u8; 0]);

    let get = message(&[&[0x08], &id]);
    let got = wire.call("/comments.Comments/CommentGetByID", &get).await;
    let head = message(&[
        &[0x08],
        &id,
        &[0x10],
        USER,
        &[0x18],
        sku,
        b"\x22\x03hey",
        &[0x2a],
    ]);
    assert_timestamp(&got, &head);

    let on_sku = wire
        .call("/Comments/CommentListBySKU", &message(&[&[0x08], sku]))
        .await;
    let head = message(&[&[0x08], &id, &[0x10], USER, b"\x1a\x03hey", &[0x22]]);
    assert_timestamp(only(&on_sku), &head);

    let of_user = message(&[&[0x08], USER]);
    let of_user = wire
        .call("/comments.Comments/CommentListByUser", &of_user)
        .await;
    let head = message(&[&[0x08], &id, &[0x10], sku, b"\x1a\x03hey", &[0x22]]);
    assert_timestamp(only(&of_user), &head);
}

/// The one message in a list that is field 1, shorter than 128 bytes.
fn only(list: &[u8]) -> &[u8] {
    assert_eq!(list[0], 0x0a, "{list:02x?}");
    assert_eq!(
        usize::from(list[1]),
        list.len() - 2,
        "one entry: {list:02x?}"
    );
    &list[2..]
}

/// Whether `answer` is `head` and behind it a timestamp: its length, then seconds as field 1.
fn assert_timestamp(answer: &[u8], head: &[u8]) {
    let Some(time) = answer.strip_prefix(head) else {
        panic!("{answer:02x?} does not start with {head:02x?}");
    };
    assert_eq!(usize::from(time[0]), time.len() - 1, "{answer:02x?}");
    assert_eq!(time[1], 0x08, "{answer:02x?}");
}
