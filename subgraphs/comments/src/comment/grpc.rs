//! Comments over gRPC, under the names `comments.Comments` and `Comments`. Source: docs/contracts.md §6.
//!
//! A user's token allows that user's comments; a service and a client of the compatibility profile are believed whom they name.
//! Decode and check, call the use case, encode; nothing is decided here.

use std::{sync::Arc, time::SystemTime};

use ::schema::{
    code::ErrorCode,
    id::{CommentId, OutOfRange, Sku, UserId},
    proto::{
        alias::comments_server::{Comments as Alias, CommentsServer as AliasServer},
        comments::{
            CommentAddRequest, CommentAddResponse, CommentEditRequest, CommentEditResponse,
            CommentGetByIdRequest, CommentGetByIdResponse, CommentListBySkuRequest,
            CommentListBySkuResponse, CommentListByUserRequest, CommentListByUserResponse,
            comment_list_by_sku_response as by_sku, comment_list_by_user_response as by_user,
            comments_server::{Comments as Packaged, CommentsServer},
        },
    },
};
use chassis::{
    clock::Clock,
    fault::{self, Coded},
    grpc::{self, Authentication, Bounds, Invalid, ReflectionError, Reporter, Tokens, Toll},
    listen,
    principal::Denied,
    tasks::Tasks,
};
use idempotency::{KEY_HEADER, Key, grpc::response};
use tokio::net::TcpListener;
use tonic::{Request, Response, Status, metadata::MetadataMap};

use super::{
    CommentError, Comments, Error, PageRequest, Text,
    domain::{Comment, TEXT_MAX_CHARACTERS},
};
use crate::config::Config;

/// The names of the service.
const NAMES: [&str; 2] = ["comments.Comments", "Comments"];

/// Where a list ends: the contract's lists have no cursor, and these comments of 255 characters each stay below the
/// 4 MiB that a client reads by default. Source: docs/contracts.md §6.
const LIST: PageRequest = PageRequest {
    first: 1000,
    after: None,
};

/// Why a call failed.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error(transparent)]
    Invalid(#[from] Invalid),
    #[error(transparent)]
    Denied(#[from] Denied),
    #[error(transparent)]
    UseCase(#[from] Error),
    #[error(transparent)]
    Shared(#[from] Arc<Error>),
}

impl Coded for Failure {
    fn code(&self) -> ErrorCode {
        match self {
            Self::Invalid(error) => error.code(),
            Self::Denied(denied) => denied.code(),
            Self::UseCase(error) => error.code(),
            Self::Shared(error) => error.code(),
        }
    }
}

impl From<Failure> for Status {
    fn from(failure: Failure) -> Self {
        fault::status(failure)
    }
}

/// The handlers.
#[derive(Debug, Clone)]
pub(crate) struct Server {
    comments: Comments,
}

impl Server {
    pub(crate) const fn new(comments: Comments) -> Self {
        Self { comments }
    }

    async fn add(
        &self,
        request: Request<CommentAddRequest>,
    ) -> Result<Response<CommentAddResponse>, Failure> {
        let who = grpc::Caller::of(&request);
        let (metadata, _, request) = request.into_parts();
        let author = positive(request.user_id, "CommentAddRequest.UserId")?;
        who.check_acts_for(author)?;
        let sku = positive(request.sku, "CommentAddRequest.Sku")?;
        let text = text(request.comment, "CommentAddRequest.Comment")?;
        let key = key(&metadata)?;
        let added = self.comments.add(author, sku, text, key).await?;
        Ok(response(added.map(|comment| CommentAddResponse {
            id: comment.id.get(),
        })))
    }

    async fn get(
        &self,
        request: Request<CommentGetByIdRequest>,
    ) -> Result<Response<CommentGetByIdResponse>, Failure> {
        let id: CommentId = positive(request.into_inner().id, "CommentGetByIDRequest.Id")?;
        let found = self.comments.find(id).await?;
        let comment = found.ok_or(Error::Refused(CommentError::NotFound))?;
        Ok(Response::new(CommentGetByIdResponse {
            id: comment.id.get(),
            user_id: comment.author.get(),
            sku: comment.sku.get(),
            comment: comment.text.as_str().to_owned(),
            created_at: Some(SystemTime::from(comment.created_at).into()),
        }))
    }

    async fn edit(
        &self,
        request: Request<CommentEditRequest>,
    ) -> Result<Response<CommentEditResponse>, Failure> {
        let who = grpc::Caller::of(&request);
        let (metadata, _, request) = request.into_parts();
        let editor = positive(request.user_id, "CommentEditRequest.UserId")?;
        who.check_acts_for(editor)?;
        let id = positive(request.comment_id, "CommentEditRequest.CommentId")?;
        let text = text(request.new_comment, "CommentEditRequest.NewComment")?;
        let key = key(&metadata)?;
        let edited = self.comments.edit(editor, id, text, key).await?;
        Ok(response(edited.map(|_| CommentEditResponse {})))
    }

    async fn list_by_sku(
        &self,
        request: Request<CommentListBySkuRequest>,
    ) -> Result<Response<CommentListBySkuResponse>, Failure> {
        let sku: Sku = positive(request.into_inner().sku, "CommentListBySKURequest.Sku")?;
        let page = self.comments.list_by_skus(&[sku], &LIST).await.remove(&sku);
        let page = page.transpose()?.unwrap_or_default();
        let comments = page.comments.into_iter().map(on_sku).collect();
        Ok(Response::new(CommentListBySkuResponse { comments }))
    }

    async fn list_by_user(
        &self,
        request: Request<CommentListByUserRequest>,
    ) -> Result<Response<CommentListByUserResponse>, Failure> {
        let user_id = request.into_inner().user_id;
        let author: UserId = positive(user_id, "CommentListByUserRequest.UserId")?;
        let mut pages = self.comments.list_by_authors(&[author], &LIST).await?;
        let page = pages.remove(&author).unwrap_or_default();
        let comments = page.comments.into_iter().map(of_user).collect();
        Ok(Response::new(CommentListByUserResponse { comments }))
    }
}

fn positive<I: TryFrom<i64, Error = OutOfRange>>(id: i64, field: &str) -> Result<I, Invalid> {
    I::try_from(id).map_err(|_| Invalid::not_positive(field))
}

fn text(text: String, field: &str) -> Result<Text, Invalid> {
    Text::try_from(text).map_err(|refusal| {
        Invalid(match refusal {
            CommentError::TextLength => format!(
                "invalid {field}: value length must be between 1 and {TEXT_MAX_CHARACTERS} runes, inclusive"
            ),
            other => format!("invalid {field}: {other}"),
        })
    })
}

fn key(metadata: &MetadataMap) -> Result<Option<Key>, Invalid> {
    idempotency::grpc::key(metadata)
        .map_err(|bad| Invalid(format!("invalid metadata {KEY_HEADER}: {bad}")))
}

fn on_sku(comment: Comment) -> by_sku::Comment {
    by_sku::Comment {
        id: comment.id.get(),
        user_id: comment.author.get(),
        comment: comment.text.as_str().to_owned(),
        created_at: Some(SystemTime::from(comment.created_at).into()),
    }
}

fn of_user(comment: Comment) -> by_user::Comment {
    by_user::Comment {
        id: comment.id.get(),
        sku: comment.sku.get(),
        comment: comment.text.as_str().to_owned(),
        created_at: Some(SystemTime::from(comment.created_at).into()),
    }
}

chassis::serve_under_names!(Server as Packaged, Alias: {
    comment_add(CommentAddRequest) -> CommentAddResponse = add;
    comment_get_by_id(CommentGetByIdRequest) -> CommentGetByIdResponse = get;
    comment_edit(CommentEditRequest) -> CommentEditResponse = edit;
    comment_list_by_sku(CommentListBySkuRequest) -> CommentListBySkuResponse = list_by_sku;
    comment_list_by_user(CommentListByUserRequest) -> CommentListByUserResponse = list_by_user;
});

/// Takes the port.
pub(crate) async fn listen(config: &Config) -> Result<TcpListener, listen::Error> {
    listen::bind(config.grpc_listen, "comments.grpc_listen").await
}

/// Serves until the tasks' token; calls in flight end first. The reporter lets the probe tell gRPC's health.
pub(crate) fn serve(
    server: Server,
    listener: TcpListener,
    tokens: Tokens,
    config: &Config,
    clock: Clock,
    tasks: &Tasks,
) -> Result<Reporter, ReflectionError> {
    let is_compatible = grpc::is_compatible(
        config.grpc_listen,
        "comments.grpc_listen",
        config.beyond_loopback_enabled,
        "comments.beyond_loopback_enabled",
    );
    let (door, setting) = ("comments_grpc", "comments.grpc_rate_limit");
    let toll = Toll::new(door, setting, config.grpc_rate_limit.clone(), clock);
    let authentication = Authentication::new(tokens, &[], is_compatible, toll);
    let bounds = Bounds::new(door, config.grpc_calls, config.call_timeout, tasks);
    let bytes = config.grpc_message_bytes;
    let packaged = CommentsServer::new(server.clone()).max_decoding_message_size(bytes);
    let alias = AliasServer::new(server).max_decoding_message_size(bytes);
    let routes = chassis::grpc::server()
        .add_service(bounds.around(authentication.before(packaged)))
        .add_service(bounds.around(authentication.before(alias)));
    chassis::grpc::serve("comments grpc", &NAMES, routes, listener, tasks)
}
