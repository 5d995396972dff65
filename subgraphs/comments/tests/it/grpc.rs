//! The gRPC face over a socket, under both names. Source: docs/contracts.md §6.

use std::{net::SocketAddr, time::Duration};

use chassis::{clock::Clock, health::Health, tasks::Tasks};
use chrono::DateTime;
use comments::{Config, Dependencies, Service, StartError};
use schema::proto::{
    alias::comments_client::CommentsClient as AliasClient,
    comments::{
        CommentAddRequest, CommentEditRequest, CommentGetByIdRequest, CommentListBySkuRequest,
        CommentListByUserRequest, comments_client::CommentsClient,
    },
};
use testkit::TestDatabase;
use tonic::{Code, Request, Status, transport::Channel};

use crate::shop::EDIT_WINDOW;

const LIMIT: Duration = Duration::from_secs(10);

/// A started service with two shards, and a client of each name.
struct Server {
    address: SocketAddr,
    clock: Clock,
    tokens: testkit::TestTokens,
    tasks: Tasks,
    // Dropped with the server.
    _databases: [TestDatabase; 2],
}

impl Server {
    async fn start() -> Self {
        Self::start_with(config()).await.unwrap()
    }

    async fn start_with(config: Config) -> Result<Self, StartError> {
        let databases = [
            testkit::database(migrations::Database::Comments).await,
            testkit::database(migrations::Database::Comments).await,
        ];
        let clock = Clock::manual(DateTime::from_timestamp(1_700_000_000, 500_000_000).unwrap());
        let config = Config {
            databases: databases.iter().map(|one| one.name.clone()).collect(),
            ..config
        };
        let tokens = testkit::TestTokens::default();
        let dependencies = Dependencies {
            tokens: tokens.of_grpc(),
            postgres: databases[0].config(),
            clock: clock.clone(),
        };
        let tasks = Tasks::new();
        let service = Service::start(config, dependencies, &tasks, &Health::new()).await?;
        Ok(Self {
            address: service.grpc_address().unwrap(),
            clock,
            tokens,
            tasks,
            _databases: databases,
        })
    }

    async fn channel(&self) -> Channel {
        let endpoint = Channel::from_shared(format!("http://{}", self.address)).unwrap();
        endpoint.connect().await.unwrap()
    }

    async fn client(&self) -> CommentsClient<Channel> {
        CommentsClient::new(self.channel().await)
    }

    async fn add(&self, user_id: i64, sku: i64, comment: &str) -> Result<i64, Status> {
        let mut client = self.client().await;
        let added = client.comment_add(add(user_id, sku, comment)).await?;
        Ok(added.into_inner().id)
    }

    async fn edit(&self, user_id: i64, comment_id: i64, text: &str) -> Result<(), Status> {
        let edit = CommentEditRequest {
            user_id,
            comment_id,
            new_comment: text.to_owned(),
        };
        self.client().await.comment_edit(edit).await.map(drop)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.tasks.token().cancel();
    }
}

fn config() -> Config {
    Config {
        grpc_listen: SocketAddr::from(([127, 0, 0, 1], 0)),
        ..Config::default()
    }
}

fn add(user_id: i64, sku: i64, comment: &str) -> CommentAddRequest {
    CommentAddRequest {
        user_id,
        sku,
        comment: comment.to_owned(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_comment_is_added_read_edited_and_listed_under_both_names() {
    let server = Server::start().await;
    let (even, odd) = (server.add(7, 2, "first"), server.add(7, 3, "второй"));
    let (even, odd) = (even.await.unwrap(), odd.await.unwrap());
    assert_eq!((even % 1000, odd % 1000), (0, 1), "ids name their shards");
    server.edit(7, even, "edited").await.unwrap();

    let mut alias = AliasClient::new(server.channel().await);
    let read = alias.comment_get_by_id(CommentGetByIdRequest { id: even });
    let read = read.await.unwrap().into_inner();
    assert_eq!((read.id, read.user_id, read.sku), (even, 7, 2));
    assert_eq!(read.comment, "edited");
    let created_at = read.created_at.unwrap();
    assert_eq!(
        (created_at.seconds, created_at.nanos),
        (1_700_000_000, 500_000_000)
    );

    let on_sku = alias.comment_list_by_sku(CommentListBySkuRequest { sku: 3 });
    let on_sku = on_sku.await.unwrap().into_inner().comments;
    assert_eq!(on_sku.len(), 1);
    assert_eq!((on_sku[0].id, on_sku[0].user_id), (odd, 7));
    assert_eq!(on_sku[0].comment, "второй");
    let of_user = CommentListByUserRequest { user_id: 7 };
    let of_user = server.client().await.comment_list_by_user(of_user).await;
    let of_user = of_user.unwrap().into_inner().comments;
    let skus: Vec<_> = of_user.iter().map(|comment| comment.sku).collect();
    assert_eq!(skus, [2, 3], "both shards, merged");
}

/// Seen red with the check of `sku` left out of add: the use case's own words came instead of the contract's.
#[tokio::test(flavor = "multi_thread")]
async fn what_breaks_a_rule_is_code_3_and_names_the_field() {
    let server = Server::start().await;
    let long = "я".repeat(256);
    let mut told = Vec::new();
    for (user, sku, text) in [
        (0, 1, "x"),
        (i64::MIN, 1, "x"),
        (1, 0, "x"),
        (1, 1, ""),
        (1, 1, &long),
    ] {
        told.push(server.add(user, sku, text).await.unwrap_err());
    }
    told.push(server.edit(0, 1000, "x").await.unwrap_err());
    told.push(server.edit(1, 0, "x").await.unwrap_err());
    told.push(server.edit(1, 1000, "").await.unwrap_err());
    let mut client = server.client().await;
    let zero = client.comment_get_by_id(CommentGetByIdRequest { id: 0 });
    told.push(zero.await.unwrap_err());
    let zero = client.comment_list_by_sku(CommentListBySkuRequest { sku: -1 });
    told.push(zero.await.unwrap_err());
    let zero = client.comment_list_by_user(CommentListByUserRequest { user_id: 0 });
    told.push(zero.await.unwrap_err());
    for status in &told {
        assert_eq!(status.code(), Code::InvalidArgument, "{status}");
        assert!(status.message().starts_with("invalid Comment"), "{status}");
    }
    server.add(1, i64::MAX, &"я".repeat(255)).await.unwrap();
}

/// The order of the checks: whether it exists, whose it is, how old it is.
#[tokio::test(flavor = "multi_thread")]
async fn unknown_foreign_and_late_edits_have_codes_5_7_and_9() {
    let server = Server::start().await;
    let id = server.add(1, 5, "mine").await.unwrap();
    let code = |answer: Result<(), Status>| answer.unwrap_err().code();
    // 7 names no shard; the other names one and nothing in it.
    for unknown in [7, 999_000] {
        assert_eq!(code(server.edit(1, unknown, "x").await), Code::NotFound);
        let get = CommentGetByIdRequest { id: unknown };
        let read = server.client().await.comment_get_by_id(get).await;
        assert_eq!(code(read.map(drop)), Code::NotFound);
    }
    server.clock.advance(EDIT_WINDOW + Duration::from_secs(1));
    assert_eq!(code(server.edit(2, id, "x").await), Code::PermissionDenied);
    assert_eq!(
        code(server.edit(1, id, "x").await),
        Code::FailedPrecondition
    );
}

/// Seen red with a bound of 100: the list broke off there.
#[tokio::test(flavor = "multi_thread")]
async fn lists_are_newest_first_and_end_at_a_thousand() {
    let server = Server::start().await;
    let mut client = server.client().await;
    for place in 0..1003 {
        client
            .comment_add(add(9, 4, &place.to_string()))
            .await
            .unwrap();
        server.clock.advance(Duration::from_millis(1));
    }
    let listed = client.comment_list_by_sku(CommentListBySkuRequest { sku: 4 });
    let listed = listed.await.unwrap().into_inner().comments;
    assert_eq!(listed.len(), 1000);
    assert_eq!(
        (listed[0].comment.as_str(), listed[999].comment.as_str()),
        ("1002", "3")
    );
    let listed = client.comment_list_by_user(CommentListByUserRequest { user_id: 9 });
    assert_eq!(listed.await.unwrap().into_inner().comments.len(), 1000);
    let none = client.comment_list_by_sku(CommentListBySkuRequest { sku: 6 });
    assert!(none.await.unwrap().into_inner().comments.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeat_with_its_key_gets_the_first_answer_and_says_so() {
    let server = Server::start().await;
    let mut client = server.client().await;
    let mut ids = Vec::new();
    for replayed in [None, Some("true")] {
        let mut request = Request::new(add(1, 8, "once"));
        request
            .metadata_mut()
            .insert("idempotency-key", "one".parse().unwrap());
        let answer = client.comment_add(request).await.unwrap();
        let mark = answer.metadata().get("idempotency-replayed");
        assert_eq!(mark.map(|mark| mark.to_str().unwrap()), replayed);
        ids.push(answer.into_inner().id);
    }
    assert_eq!(ids[0], ids[1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_keys_are_code_3() {
    let server = Server::start().await;
    let mut request = Request::new(add(1, 8, "once"));
    for key in ["a", "b"] {
        let key = key.parse().unwrap();
        request.metadata_mut().append("idempotency-key", key);
    }
    let refused = server.client().await.comment_add(request).await;
    assert_eq!(refused.unwrap_err().code(), Code::InvalidArgument);
}

/// NUL cannot travel in metadata.
#[tokio::test(flavor = "multi_thread")]
async fn a_key_outside_its_bounds_is_code_3() {
    let server = Server::start().await;
    let mut client = server.client().await;
    for bad in [String::new(), "x".repeat(256)] {
        let mut request = Request::new(add(1, 8, "once"));
        let key = bad.parse().unwrap();
        request.metadata_mut().insert("idempotency-key", key);
        let refused = client.comment_add(request).await.unwrap_err();
        assert_eq!(refused.code(), Code::InvalidArgument, "{bad:?}: {refused}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_late_call_and_a_large_message_are_refused() {
    let hasty = Config {
        call_timeout: Duration::from_nanos(1),
        ..config()
    };
    let hasty = Server::start_with(hasty).await.unwrap();
    let late = hasty.add(1, 1, "x").await.unwrap_err();
    assert_eq!(late.code(), Code::DeadlineExceeded);
    let server = Server::start().await;
    let large = server.add(1, 1, &"x".repeat(64 << 10)).await.unwrap_err();
    assert_eq!(large.code(), Code::ResourceExhausted, "{large}");
}

#[tokio::test(flavor = "multi_thread")]
async fn health_and_reflection_name_the_service_until_it_stops() {
    use tonic_health::pb::{
        HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient,
    };
    use tonic_reflection::pb::v1::{
        ServerReflectionRequest, server_reflection_client::ServerReflectionClient,
        server_reflection_request::MessageRequest, server_reflection_response::MessageResponse,
    };
    let server = Server::start().await;
    for service in ["", "comments.Comments", "Comments"] {
        let mut health = HealthClient::new(server.channel().await);
        testkit::eventually("gRPC's health", LIMIT, async || {
            let request = HealthCheckRequest {
                service: service.to_owned(),
            };
            let status = health.check(request).await.ok()?.into_inner().status();
            (status == ServingStatus::Serving).then_some(())
        })
        .await;
    }
    let list = ServerReflectionRequest {
        host: String::new(),
        message_request: Some(MessageRequest::ListServices(String::new())),
    };
    let mut reflection = ServerReflectionClient::new(server.channel().await);
    let answers = reflection.server_reflection_info(futures::stream::iter([list]));
    let answer = answers.await.unwrap().into_inner().message().await.unwrap();
    let Some(MessageResponse::ListServicesResponse(listed)) = answer.unwrap().message_response
    else {
        panic!("no list of services");
    };
    let names: Vec<_> = listed.service.into_iter().map(|one| one.name).collect();
    for name in ["comments.Comments", "Comments"] {
        assert!(names.contains(&name.to_owned()), "{names:?}");
    }
    assert_eq!(server.tasks.shutdown(LIMIT).await, Vec::<&str>::new());
    let mut client = CommentsClient::new(
        Channel::from_shared(format!("http://{}", server.address))
            .unwrap()
            .connect_lazy(),
    );
    let gone = client.comment_get_by_id(CommentGetByIdRequest { id: 1000 });
    assert_eq!(gone.await.unwrap_err().code(), Code::Unavailable);
}

#[tokio::test(flavor = "multi_thread")]
async fn beyond_loopback_nobody_is_believed_without_a_token() {
    let open = Config {
        grpc_listen: SocketAddr::from(([0, 0, 0, 0], 0)),
        ..Config::default()
    };
    let mut server = Server::start_with(open).await.unwrap();
    server.address = SocketAddr::from(([127, 0, 0, 1], server.address.port()));
    let refused = server.add(7, 1_076_963, "for somebody").await.unwrap_err();
    assert_eq!(refused.code(), Code::Unauthenticated);
    let mut request = Request::new(add(7, 1_076_963, "for somebody"));
    let bearer = format!("Bearer {}", server.tokens.customer(8).expose());
    (request.metadata_mut()).insert("authorization", bearer.parse().unwrap());
    let refused = server
        .client()
        .await
        .comment_add(request)
        .await
        .unwrap_err();
    assert_eq!(refused.code(), Code::PermissionDenied);
    let mut request = Request::new(add(8, 1_076_963, "for me"));
    (request.metadata_mut()).insert("authorization", bearer.parse().unwrap());
    server.client().await.comment_add(request).await.unwrap();
}
