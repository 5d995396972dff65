//! Every method of the gRPC descriptors, under every name of its service, for every caller: users, services, and whoever has no
//! token, who is believed on loopback alone.

use anyhow::Context as _;
use bytes::Bytes;
use chassis::{
    clock::Clock,
    principal::{SERVICE_TOKEN, ServiceSigner},
};
use chrono::TimeDelta;
use futures::StreamExt as _;
use prost::Message as _;
use prost_types::FileDescriptorSet;
use schema::proto::{
    comments::{
        CommentAddRequest, CommentAddResponse, CommentEditRequest, CommentGetByIdRequest,
        CommentListBySkuRequest, CommentListByUserRequest,
    },
    loms::{
        Item, OrderCancelRequest, OrderCreateRequest, OrderCreateResponse, OrderEventsRequest,
        OrderInfoRequest, OrderPayRequest, StocksInfoRequest, StocksListRequest,
        order_events_request::Scope,
    },
};
use tempfile::TempDir;
use tokio::time::sleep;
use tonic::{
    Code, Request, Status,
    client::Grpc,
    codegen::http::uri::PathAndQuery,
    metadata::MetadataMap,
    transport::{Channel, Endpoint},
};

use super::{
    caller::{self, Caller},
    cell::{CONCURRENCY, Cell, PAUSE, TRIES},
};
use crate::{raw::Raw, stack::Stack};

const OWNER: i64 = 5_011;
/// A SKU with enough for everybody, and one to comment on.
const SKU: i64 = 139_275_865;
const LOMS: u16 = 8083;
const COMMENTS: u16 = 8085;
/// What the server itself answers about itself, before anybody is asked who calls.
const ABOUT_ITSELF: [&str; 4] = [
    "grpc.health.v1.Health/Check",
    "grpc.health.v1.Health/Watch",
    "grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
    "grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
];
/// The services that a server believes.
const fn believed(port: u16) -> &'static [&'static str] {
    match port {
        LOMS => &["cart"],
        _ => &[],
    }
}

/// Who is served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Policy {
    /// Everybody.
    Anyone,
    /// Who is known.
    Known,
    /// Who is known, and is the user that the message names.
    Named,
    /// The one whom the order belongs to, operators, and services; to others it looks like a missing one.
    Owner,
}

#[derive(Debug)]
struct Method {
    port: u16,
    path: String,
    policy: Policy,
    message: Bytes,
}

#[derive(Debug)]
enum Proof {
    Person(Caller, String),
    Service(&'static str, Box<ServiceSigner>),
    /// In place of a service's token.
    Forged(String),
}

/// What belongs to the owner.
#[derive(Debug)]
struct Owned {
    /// An order that is paid, again and again.
    order: i64,
    /// An order that is cancelled, again and again.
    cancelled: i64,
    comment: i64,
}

/// Tries every cell.
///
/// # Errors
/// When a method has no policy, or the owner's things cannot be made.
pub(super) async fn run(stack: &Stack, is_loopback: bool) -> anyhow::Result<Vec<Cell>> {
    let proofs = proofs(stack).await?;
    let owner = proofs
        .iter()
        .find(|(_, proof)| matches!(proof, Proof::Person(Caller::Owner, _)));
    let (_, owner) = owner.context("nobody owns anything")?;
    let channel = |port| anyhow::Ok(Endpoint::from_shared(stack.url(port))?.connect_lazy());
    let (loms, comments) = (channel(LOMS)?, channel(COMMENTS)?);
    let owned = Owned {
        order: create_order(&loms, owner).await?,
        cancelled: create_order(&loms, owner).await?,
        comment: create_comment(&comments, owner).await?,
    };
    let methods = methods(&owned)?;
    let mut cells = Vec::new();
    for method in &methods {
        cells.extend(proofs.iter().map(|(name, proof)| (method, name, proof)));
    }
    let tried = futures::stream::iter(cells).map(|(method, name, proof)| {
        let channel = if method.port == LOMS {
            &loms
        } else {
            &comments
        };
        async move {
            let answer = call(channel, &method.path, method.message.clone(), proof).await;
            let code = answer.map_or_else(|status| status.code(), |_| Code::Ok);
            let is_right = expected(method, proof, is_loopback).contains(&code);
            Cell::new("gRPC", is_right, || {
                let (path, policy) = (&method.path, method.policy);
                format!("{path}, {name}, on loopback {is_loopback}: {code:?}, policy {policy:?}")
            })
        }
    });
    Ok(tried.buffer_unordered(CONCURRENCY).collect().await)
}

/// What a caller may be answered.
fn expected(method: &Method, proof: &Proof, is_loopback: bool) -> &'static [Code] {
    const SERVED: &[Code] = &[Code::Ok];
    const UNKNOWN: &[Code] = &[Code::Unauthenticated];
    const FORBIDDEN: &[Code] = &[Code::PermissionDenied];
    const HIDDEN: &[Code] = &[Code::NotFound, Code::PermissionDenied];
    match (method.policy, proof) {
        (Policy::Anyone, _) => SERVED,
        (_, Proof::Forged(_) | Proof::Person(Caller::Forged, _)) => UNKNOWN,
        (_, Proof::Service(name, _)) if believed(method.port).contains(name) => SERVED,
        (_, Proof::Service(..)) => FORBIDDEN,
        (_, Proof::Person(Caller::Nobody, _)) if is_loopback => SERVED,
        (_, Proof::Person(Caller::Nobody, _)) => UNKNOWN,
        (_, Proof::Person(Caller::Owner, _)) | (Policy::Known, _) => SERVED,
        (Policy::Named, Proof::Person(Caller::Stranger | Caller::Operator, _)) => FORBIDDEN,
        (Policy::Owner, Proof::Person(Caller::Operator, _)) => SERVED,
        (Policy::Owner, Proof::Person(Caller::Stranger, _)) => HIDDEN,
    }
}

async fn proofs(stack: &Stack) -> anyhow::Result<Vec<(&'static str, Proof)>> {
    let persons = caller::persons(stack, OWNER).await?;
    let user = persons.iter().find(|it| it.caller == Caller::Owner);
    let user = user.map(|it| it.token.clone()).unwrap_or_default();
    let person = |it: caller::Person| (it.name, Proof::Person(it.caller, it.token));
    let mut proofs: Vec<(&'static str, Proof)> = persons.into_iter().map(person).collect();
    for name in ["cart", "router", "loms", "comments", "notifier"] {
        let signer = stack.service_key(name, Clock::system())?;
        proofs.push((name, Proof::Service(name, Box::new(signer))));
    }
    let text = |signer: &ServiceSigner| -> anyhow::Result<String> {
        Ok(signer.header().1.to_str()?.to_owned())
    };
    let expired = stack.service_key("cart", Clock::ahead_by(TimeDelta::hours(-3)))?;
    let elsewhere = TempDir::with_prefix("security-keys-")?;
    let unknown = ServiceSigner::announce("cart", elsewhere.path(), Clock::system())?;
    proofs.extend([
        ("the cart, expired", Proof::Forged(text(&expired)?)),
        ("the cart, an unknown key", Proof::Forged(text(&unknown)?)),
        ("a user as a service", Proof::Forged(user)),
        ("nonsense as a service", Proof::Forged("a.b.c".to_owned())),
    ]);
    Ok(proofs)
}

/// Calls, and again while the service has no room for it.
async fn call(
    channel: &Channel,
    path: &str,
    message: Bytes,
    proof: &Proof,
) -> Result<Bytes, Status> {
    for _ in 1..TRIES {
        let answer = call_once(channel, path, message.clone(), proof).await;
        let is_busy = |status: &Status| status.code() == Code::Unavailable;
        if !answer.as_ref().is_err_and(is_busy) {
            return answer;
        }
        sleep(PAUSE).await;
    }
    call_once(channel, path, message, proof).await
}

async fn call_once(
    channel: &Channel,
    path: &str,
    message: Bytes,
    proof: &Proof,
) -> Result<Bytes, Status> {
    let failed = |error: &dyn std::fmt::Display| Status::unknown(error.to_string());
    let mut request = Request::new(futures::stream::iter([message]));
    prove(request.metadata_mut(), proof).map_err(|error| failed(&error))?;
    let path: PathAndQuery = path.parse().map_err(|error| failed(&error))?;
    let mut client = Grpc::new(channel.clone());
    client.ready().await.map_err(|error| failed(&error))?;
    let mut answers = client.streaming(request, path, Raw).await?.into_inner();
    let answer: Option<Bytes> = answers.message().await?;
    answer.ok_or_else(|| Status::unknown("neither an answer nor a refusal"))
}

fn prove(metadata: &mut MetadataMap, proof: &Proof) -> anyhow::Result<()> {
    match proof {
        Proof::Person(_, token) if token.is_empty() => {}
        Proof::Person(_, token) => {
            metadata.insert("authorization", format!("Bearer {token}").parse()?);
        }
        Proof::Service(_, signer) => {
            metadata.insert(SERVICE_TOKEN, signer.header().1.to_str()?.parse()?);
        }
        Proof::Forged(token) => {
            metadata.insert(SERVICE_TOKEN, token.parse()?);
        }
    }
    Ok(())
}

async fn create_order(channel: &Channel, owner: &Proof) -> anyhow::Result<i64> {
    let message = order().into();
    let answer = call(channel, "/loms.Loms/OrderCreate", message, owner).await?;
    Ok(OrderCreateResponse::decode(answer)?.order_id)
}

async fn create_comment(channel: &Channel, owner: &Proof) -> anyhow::Result<i64> {
    let message = comment().into();
    let answer = call(channel, "/comments.Comments/CommentAdd", message, owner).await?;
    Ok(CommentAddResponse::decode(answer)?.id)
}

fn order() -> Vec<u8> {
    let item = Item {
        sku: SKU,
        count: 1,
        unit_price: None,
    };
    let order = OrderCreateRequest {
        user_id: OWNER,
        items: vec![item],
    };
    order.encode_to_vec()
}

fn comment() -> Vec<u8> {
    let comment = CommentAddRequest {
        user_id: OWNER,
        sku: SKU,
        comment: "of the matrix".to_owned(),
    };
    comment.encode_to_vec()
}

/// Every method of every service that the servers have.
fn methods(owned: &Owned) -> anyhow::Result<Vec<Method>> {
    let sets = [
        schema::proto::FILE_DESCRIPTOR_SET,
        tonic_health::pb::FILE_DESCRIPTOR_SET,
        tonic_reflection::pb::v1::FILE_DESCRIPTOR_SET,
        tonic_reflection::pb::v1alpha::FILE_DESCRIPTOR_SET,
    ];
    let mut methods = Vec::new();
    for set in sets {
        for file in FileDescriptorSet::decode(set)?.file {
            let package = file.package().to_owned();
            for service in &file.service {
                let name = [package.as_str(), service.name()];
                let name = name.join(".").trim_start_matches('.').to_owned();
                for method in &service.method {
                    let path = format!("{name}/{}", method.name());
                    let (policy, message) = policy(&path, owned)
                        .with_context(|| format!("{path} has no policy: add it to the matrix"))?;
                    let ports = ports(&path);
                    methods.extend(ports.iter().map(|port| Method {
                        port: *port,
                        path: format!("/{path}"),
                        policy,
                        message: message.clone().into(),
                    }));
                }
            }
        }
    }
    Ok(methods)
}

fn ports(path: &str) -> &'static [u16] {
    match path {
        path if ABOUT_ITSELF.contains(&path) => &[LOMS, COMMENTS],
        path if path.contains("Loms/") => &[LOMS],
        _ => &[COMMENTS],
    }
}

/// Who may call a method, and a message that it takes; `None` for one that nobody has decided about.
fn policy(path: &str, owned: &Owned) -> Option<(Policy, Vec<u8>)> {
    if ABOUT_ITSELF.contains(&path) {
        // Asks reflection for the list of services; to health it says nothing, which means the whole server.
        let message = if path.contains("reflection") {
            vec![0x3a, 0]
        } else {
            Vec::new()
        };
        return Some((Policy::Anyone, message));
    }
    let method = ["loms.Loms/", "Loms/", "comments.Comments/", "Comments/"]
        .into_iter()
        .find_map(|name| path.strip_prefix(name))?;
    let (order_id, cancelled, comment_id) = (owned.order, owned.cancelled, owned.comment);
    Some(match method {
        "OrderCreate" => (Policy::Named, order()),
        "OrderInfo" => (Policy::Owner, OrderInfoRequest { order_id }.encode_to_vec()),
        "OrderPay" => (Policy::Owner, OrderPayRequest { order_id }.encode_to_vec()),
        "OrderCancel" => {
            let order_id = cancelled;
            (
                Policy::Owner,
                OrderCancelRequest { order_id }.encode_to_vec(),
            )
        }
        // The first answer is the order as it stands.
        "OrderEvents" => {
            let events = OrderEventsRequest {
                scope: Some(Scope::OrderId(order_id)),
                cursor: String::new(),
            };
            (Policy::Owner, events.encode_to_vec())
        }
        "StocksInfo" => (
            Policy::Known,
            StocksInfoRequest { sku: SKU }.encode_to_vec(),
        ),
        "StocksList" => (
            Policy::Known,
            StocksListRequest { skus: vec![SKU] }.encode_to_vec(),
        ),
        "CommentAdd" => (Policy::Named, comment()),
        "CommentEdit" => {
            let edit = CommentEditRequest {
                user_id: OWNER,
                comment_id,
                new_comment: "edited by the matrix".to_owned(),
            };
            (Policy::Named, edit.encode_to_vec())
        }
        "CommentGetByID" => {
            let get = CommentGetByIdRequest { id: comment_id };
            (Policy::Known, get.encode_to_vec())
        }
        "CommentListBySKU" => (
            Policy::Known,
            CommentListBySkuRequest { sku: SKU }.encode_to_vec(),
        ),
        "CommentListByUser" => (
            Policy::Known,
            CommentListByUserRequest { user_id: OWNER }.encode_to_vec(),
        ),
        _ => return None,
    })
}
