//! Each protobuf message against bytes written by hand. A changed number or type fails.
//!
//! A tag is the field's number times 8, plus 0 for a varint and 2 for bytes that follow their length: 0x08 is field 1 as
//! a varint, 0x12 is field 2 as bytes. Source: docs/contracts.md §3, §6.

use std::fmt::Debug;

use prost::Message;
use prost_types::Timestamp;
use schema::proto::{
    comments::{
        CommentAddRequest, CommentAddResponse, CommentEditRequest, CommentEditResponse,
        CommentGetByIdRequest, CommentGetByIdResponse, CommentListBySkuRequest,
        CommentListBySkuResponse, CommentListByUserRequest, CommentListByUserResponse,
        comment_list_by_sku_response as by_sku, comment_list_by_user_response as by_user,
    },
    loms::{
        Item, OrderCancelRequest, OrderCancelResponse, OrderCreateRequest, OrderCreateResponse,
        OrderEvent, OrderEventsRequest, OrderInfoRequest, OrderInfoResponse, OrderPayRequest,
        OrderPayResponse, StocksInfoRequest, StocksInfoResponse, StocksListRequest,
        StocksListResponse, order_event::Kind, order_events_request::Scope,
        stocks_list_response::Stock,
    },
};

/// Both ways: the bytes are what we write, and what we read them as.
fn check<M: Message + Default + PartialEq + Debug>(message: &M, bytes: &[u8]) {
    assert_eq!(message.encode_to_vec(), bytes, "{message:?}");
    assert_eq!(M::decode(bytes).as_ref(), Ok(message), "{bytes:02x?}");
}

fn item(unit_price: Option<i64>) -> Item {
    Item {
        sku: 1_076_963,
        count: 300,
        unit_price,
    }
}

// 1076963 is e3 dd 41, and 300 is ac 02.
const ITEM: [u8; 7] = [0x08, 0xe3, 0xdd, 0x41, 0x10, 0xac, 0x02];

/// Seen red with the numbers of `user_id` and `items` of `OrderInfoResponse` swapped.
#[test]
fn messages_of_loms_have_the_contracts_numbers() {
    check(&item(None), &ITEM);
    check(&item(Some(0)), &[&ITEM[..], &[0x78, 0x00]].concat());
    let create = OrderCreateRequest {
        user_id: 7,
        items: vec![item(None), item(None)],
    };
    let bytes = [&[0x08, 0x07, 0x12, 0x07][..], &ITEM, &[0x12, 0x07], &ITEM];
    check(&create, &bytes.concat());
    check(&OrderCreateResponse { order_id: 5 }, &[0x08, 0x05]);
    check(&OrderInfoRequest { order_id: 5 }, &[0x08, 0x05]);
    let info = OrderInfoResponse {
        status: "paid".to_owned(),
        user_id: 7,
        items: vec![item(None)],
    };
    let bytes = [&b"\x0a\x04paid"[..], &[0x10, 0x07, 0x1a, 0x07], &ITEM];
    check(&info, &bytes.concat());
    check(&OrderPayRequest { order_id: 5 }, &[0x08, 0x05]);
    check(&OrderPayResponse {}, &[]);
    check(&OrderCancelRequest { order_id: 5 }, &[0x08, 0x05]);
    check(&OrderCancelResponse {}, &[]);
    check(&StocksInfoRequest { sku: 1_076_963 }, &ITEM[..4]);
    check(&StocksInfoResponse { count: 300 }, &[0x08, 0xac, 0x02]);
    let skus = vec![1_076_963, 5];
    check(
        &StocksListRequest { skus },
        &[0x0a, 0x04, 0xe3, 0xdd, 0x41, 0x05],
    );
    let stock = Stock {
        sku: 1_076_963,
        count: 300,
    };
    let stocks = vec![stock];
    let bytes = [&[0x0a, 0x07][..], &ITEM];
    check(&StocksListResponse { stocks }, &bytes.concat());
}

#[test]
fn messages_of_order_events_have_the_contracts_numbers() {
    let of = |scope| OrderEventsRequest {
        scope,
        cursor: "c1".to_owned(),
    };
    let cursor = b"\x1a\x02c1";
    check(
        &of(Some(Scope::OrderId(5))),
        &[&[0x08, 0x05][..], cursor].concat(),
    );
    check(
        &of(Some(Scope::UserId(7))),
        &[&[0x10, 0x07][..], cursor].concat(),
    );
    check(&of(None), cursor);
    let event = OrderEvent {
        kind: Kind::Change.into(),
        cursor: "c1".to_owned(),
        order_id: 5,
        user_id: 7,
        version: 3,
        status: "paid".to_owned(),
        moment: "z".to_owned(),
    };
    let head = b"\x08\x02\x12\x02c1\x18\x05\x20\x07\x28\x03\x32\x04paid\x3a\x01z";
    check(&event, head);
    let numbers = [Kind::Unspecified, Kind::Snapshot, Kind::Change, Kind::Gap].map(i32::from);
    assert_eq!(numbers, [0, 1, 2, 3]);
}

/// An int64, not an int32 and not zigzag: the greatest and a negative one.
#[test]
fn ids_are_int64() {
    let greatest = [0x08, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f];
    check(&OrderInfoRequest { order_id: i64::MAX }, &greatest);
    let minus_one = [
        0x08, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01,
    ];
    check(&StocksInfoRequest { sku: -1 }, &minus_one);
}

const TEXT: &[u8] = b"\x02hi";
// 1700000000 seconds and 500000000 nanoseconds.
const TIME: [u8; 13] = [
    0x0c, 0x08, 0x80, 0xe2, 0xcf, 0xaa, 0x06, 0x10, 0x80, 0xca, 0xb5, 0xee, 0x01,
];

fn time() -> Option<Timestamp> {
    Some(Timestamp {
        seconds: 1_700_000_000,
        nanos: 500_000_000,
    })
}

/// Seen red with the comment of `CommentListBySKUResponse.Comment` as field 4, as one member has it.
#[test]
fn messages_of_comments_have_the_contracts_numbers() {
    let comment = || "hi".to_owned();
    let add = CommentAddRequest {
        user_id: 7,
        sku: 9,
        comment: comment(),
    };
    check(&add, &[&[0x08, 0x07, 0x10, 0x09, 0x1a][..], TEXT].concat());
    check(&CommentAddResponse { id: 5 }, &[0x08, 0x05]);
    check(&CommentGetByIdRequest { id: 5 }, &[0x08, 0x05]);
    let got = CommentGetByIdResponse {
        id: 5,
        user_id: 7,
        sku: 9,
        comment: comment(),
        created_at: time(),
    };
    let head = [0x08, 0x05, 0x10, 0x07, 0x18, 0x09, 0x22];
    check(&got, &[&head[..], TEXT, &[0x2a], &TIME].concat());
    let edit = CommentEditRequest {
        user_id: 7,
        comment_id: 5,
        new_comment: comment(),
    };
    check(&edit, &[&[0x08, 0x07, 0x10, 0x05, 0x1a][..], TEXT].concat());
    check(&CommentEditResponse {}, &[]);

    check(&CommentListBySkuRequest { sku: 9 }, &[0x08, 0x09]);
    let on_sku = CommentListBySkuResponse {
        comments: vec![by_sku::Comment {
            id: 5,
            user_id: 7,
            comment: comment(),
            created_at: time(),
        }],
    };
    let head = [0x0a, 0x16, 0x08, 0x05, 0x10, 0x07, 0x1a];
    check(&on_sku, &[&head[..], TEXT, &[0x22], &TIME].concat());
    check(&CommentListByUserRequest { user_id: 7 }, &[0x08, 0x07]);
    let of_user = CommentListByUserResponse {
        comments: vec![by_user::Comment {
            id: 5,
            sku: 9,
            comment: comment(),
            created_at: time(),
        }],
    };
    let head = [0x0a, 0x16, 0x08, 0x05, 0x10, 0x09, 0x1a];
    check(&of_user, &[&head[..], TEXT, &[0x22], &TIME].concat());
}
