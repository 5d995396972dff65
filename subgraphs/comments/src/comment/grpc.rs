//! Comments over gRPC, under the names `comments.Comments` and `Comments`. Source: docs/contracts.md §6.
//!
//! The user stands in the call and is believed (the compatibility profile), so the face listens on loopback unless told
//! otherwise. Decode and check, call the use case, encode; nothing is decided here.

use std::{future::Future, sync::Arc, time::SystemTime};

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
    fault::{self, Coded},
    grpc::{Bounds, Invalid, ReflectionError, Reporter},
    tasks::Tasks,
};
use idempotency::{KEY_HEADER, Key, Recorded, grpc::response};
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

/// Why a call has no answer.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error(transparent)]
    Invalid(#[from] Invalid),
    #[error(transparent)]
    UseCase(#[from] Error),
    #[error(transparent)]
    Shared(#[from] Arc<Error>),
}

impl Coded for Failure {
    fn code(&self) -> ErrorCode {
        match self {
            Self::Invalid(error) => error.code(),
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

/// The handlers. Clones share the bounds.
#[derive(Debug, Clone)]
pub(crate) struct Server {
    comments: Comments,
    bounds: Arc<Bounds>,
}

impl Server {
    pub(crate) fn new(comments: Comments, config: &Config) -> Self {
        let bounds = Arc::new(Bounds::new(config.grpc_calls, config.call_timeout));
        Self { comments, bounds }
    }

    async fn run<T>(
        &self,
        metadata: &MetadataMap,
        call: impl Future<Output = Result<T, Failure>>,
    ) -> Result<T, Status> {
        self.bounds.run(metadata, call).await
    }

    async fn add(
        &self,
        request: Request<CommentAddRequest>,
    ) -> Result<Response<CommentAddResponse>, Status> {
        let (metadata, _, request) = request.into_parts();
        let add = async {
            let author = positive(request.user_id, "CommentAddRequest.UserId")?;
            let sku = positive(request.sku, "CommentAddRequest.Sku")?;
            let text = text(request.comment, "CommentAddRequest.Comment")?;
            let added = self.comments.add(author, sku, text, key(&metadata)?);
            let added = added.await?;
            Ok(added.map(|comment| CommentAddResponse {
                id: comment.id.get(),
            }))
        };
        self.run(&metadata, add).await.map(response)
    }

    async fn get(
        &self,
        request: Request<CommentGetByIdRequest>,
    ) -> Result<Response<CommentGetByIdResponse>, Status> {
        let (metadata, _, request) = request.into_parts();
        let get = async {
            let id: CommentId = positive(request.id, "CommentGetByIDRequest.Id")?;
            let found = self.comments.find(id).await?;
            let comment = found.ok_or(Error::Refused(CommentError::NotFound))?;
            Ok(CommentGetByIdResponse {
                id: comment.id.get(),
                user_id: comment.author.get(),
                sku: comment.sku.get(),
                comment: comment.text.as_str().to_owned(),
                created_at: Some(SystemTime::from(comment.created_at).into()),
            })
        };
        self.run(&metadata, get).await.map(Response::new)
    }

    async fn edit(
        &self,
        request: Request<CommentEditRequest>,
    ) -> Result<Response<CommentEditResponse>, Status> {
        let (metadata, _, request) = request.into_parts();
        let edit = async {
            let editor = positive(request.user_id, "CommentEditRequest.UserId")?;
            let id = positive(request.comment_id, "CommentEditRequest.CommentId")?;
            let text = text(request.new_comment, "CommentEditRequest.NewComment")?;
            let edited = self
                .comments
                .edit(editor, id, text, key(&metadata)?)
                .await?;
            Ok(Recorded {
                value: CommentEditResponse {},
                replayed: edited.replayed,
            })
        };
        self.run(&metadata, edit).await.map(response)
    }

    async fn list_by_sku(
        &self,
        request: Request<CommentListBySkuRequest>,
    ) -> Result<Response<CommentListBySkuResponse>, Status> {
        let (metadata, _, request) = request.into_parts();
        let list = async {
            let sku: Sku = positive(request.sku, "CommentListBySKURequest.Sku")?;
            let page = self.comments.list_by_skus(&[sku], &LIST).await.remove(&sku);
            let page = page.transpose()?.unwrap_or_default();
            let comments = page.comments.into_iter().map(on_sku).collect();
            Ok(CommentListBySkuResponse { comments })
        };
        self.run(&metadata, list).await.map(Response::new)
    }

    async fn list_by_user(
        &self,
        request: Request<CommentListByUserRequest>,
    ) -> Result<Response<CommentListByUserResponse>, Status> {
        let (metadata, _, request) = request.into_parts();
        let list = async {
            let author: UserId = positive(request.user_id, "CommentListByUserRequest.UserId")?;
            let mut pages = self.comments.list_by_authors(&[author], &LIST).await?;
            let page = pages.remove(&author).unwrap_or_default();
            let comments = page.comments.into_iter().map(of_user).collect();
            Ok(CommentListByUserResponse { comments })
        };
        self.run(&metadata, list).await.map(Response::new)
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

/// Serves until the tasks' token; calls in flight end first. The reporter lets the watch tell gRPC's health.
pub(crate) fn serve(
    server: Server,
    listener: TcpListener,
    config: &Config,
    tasks: &Tasks,
) -> Result<Reporter, ReflectionError> {
    let bytes = config.grpc_message_bytes;
    let routes = chassis::grpc::server()
        .add_service(CommentsServer::new(server.clone()).max_decoding_message_size(bytes))
        .add_service(AliasServer::new(server).max_decoding_message_size(bytes));
    chassis::grpc::serve("comments grpc", &NAMES, routes, listener, tasks)
}
