//! Who calls over gRPC: a service of the marketplace, a user with a token, or a client of the compatibility profile.
//!
//! Clients of the older marketplace send no token and name the user in the message. They are believed where only this machine
//! can call, or where a setting says so; everywhere else a call without a token is refused. A token that comes is checked in
//! either case. Nothing of a message is read before that.

use std::{
    convert::Infallible,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use futures::future::BoxFuture;
use http::{HeaderMap, Response};
use schema::{code::ErrorCode, id::UserId};
use tonic::{Request, body::Body, server::NamedService};
use tower::Service;

use super::toll::{Toll, cost};
use crate::{
    budget::{self, RateLimitKey, Spent},
    fault::{self, Coded},
    principal::{Denied, Principal, SERVICE_TOKEN, ServiceVerifier, TokenError, Verifier, bearer},
};

/// Who calls.
#[derive(Debug, Clone)]
pub enum Caller {
    /// A service of the marketplace, by name. It names the user and the price, and is believed.
    Service(Arc<str>),
    /// A user, or an operator: acts for nobody else.
    Token(Arc<Principal>),
    /// A client of the compatibility profile: believed, as the contract says.
    Compatible,
}

/// Why a call is refused before its message is read.
#[derive(Debug, thiserror::Error)]
enum Refused {
    #[error("a token is needed: a user's in `authorization`, or a service's in `{SERVICE_TOKEN}`")]
    NoToken,
    #[error("the token of the service is refused: {0}")]
    Service(TokenError),
    #[error("the service {0} has no business here")]
    Stranger(Arc<str>),
    #[error(transparent)]
    User(TokenError),
    #[error(transparent)]
    Spent(#[from] Spent),
}

impl Coded for Refused {
    fn code(&self) -> ErrorCode {
        match self {
            Self::NoToken => ErrorCode::Unauthenticated,
            Self::Stranger(_) => ErrorCode::Forbidden,
            Self::Service(error) | Self::User(error) => error.code(),
            Self::Spent(spent) => spent.code(),
        }
    }

    fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Spent(spent) => spent.retry_after(),
            Self::NoToken | Self::Service(_) | Self::Stranger(_) | Self::User(_) => None,
        }
    }
}

impl Caller {
    /// The caller that [`Authentication`] found.
    #[must_use]
    pub fn of<M>(request: &Request<M>) -> Self {
        request
            .extensions()
            .get()
            .cloned()
            .unwrap_or(Self::Compatible)
    }

    /// Whether it may act for the user that a message names.
    ///
    /// # Errors
    /// [`Denied::Forbidden`] for a user who names another one.
    pub fn check_acts_for(&self, user: UserId) -> Result<(), Denied> {
        match self {
            Self::Token(principal) if principal.user()? != user => Err(Denied::Forbidden),
            Self::Token(_) | Self::Service(_) | Self::Compatible => Ok(()),
        }
    }

    /// Whose budget pays for its calls from that address; `None` for a service.
    fn payer(&self, address: Option<IpAddr>) -> Option<RateLimitKey> {
        match self {
            Self::Service(_) => None,
            Self::Token(principal) => Some(RateLimitKey::of(Some(principal), address)),
            Self::Compatible => Some(RateLimitKey::address(address)),
        }
    }

    /// Whether it may say what a thing costs.
    #[must_use]
    pub const fn may_name_prices(&self) -> bool {
        !matches!(self, Self::Token(_))
    }
}

/// What tokens are checked by.
#[derive(Debug, Clone)]
pub struct Tokens {
    /// Checks users' tokens.
    pub users: Arc<Verifier>,
    /// Checks services' tokens.
    pub services: ServiceVerifier,
}

/// Whether a listener believes whoever sends no token: on loopback, and beyond it where the setting `allowed_by` says so, which
/// is warned of.
pub fn is_compatible(
    address: SocketAddr,
    setting: &str,
    is_allowed: bool,
    allowed_by: &str,
) -> bool {
    if address.ip().is_loopback() {
        return true;
    }
    if is_allowed {
        tracing::warn!(setting, %address, allowed_by, "whoever reaches this listener may act as any user: keep the network closed");
    }
    is_allowed
}

/// Finds out who calls.
#[derive(Debug, Clone)]
pub struct Authentication {
    tokens: Tokens,
    services: &'static [&'static str],
    is_compatible: bool,
    toll: Toll,
}

impl Authentication {
    /// Believes users and these `services` with tokens; with `is_compatible` also whoever sends none. Who calls pays its
    /// `toll`.
    #[must_use]
    pub const fn new(
        tokens: Tokens,
        services: &'static [&'static str],
        is_compatible: bool,
        toll: Toll,
    ) -> Self {
        Self {
            tokens,
            services,
            is_compatible,
            toll,
        }
    }

    /// Puts it before one of the server's services.
    pub fn before<S>(&self, service: S) -> Authenticated<S> {
        Authenticated {
            service,
            authentication: self.clone(),
        }
    }

    fn caller(&self, headers: &HeaderMap) -> Result<Caller, Refused> {
        if let Some(token) = headers.get(SERVICE_TOKEN) {
            let token = token.to_str().unwrap_or_default();
            let service = self
                .tokens
                .services
                .verify(token)
                .map_err(Refused::Service)?;
            if !self.services.contains(&&*service) {
                return Err(Refused::Stranger(service));
            }
            return Ok(Caller::Service(service));
        }
        if let Some(token) = bearer(headers).map_err(Refused::User)? {
            let verified = self.tokens.users.verify_user(token);
            let principal = verified.map_err(Refused::User)?;
            return Ok(Caller::Token(Arc::new(principal)));
        }
        if self.is_compatible {
            return Ok(Caller::Compatible);
        }
        Err(Refused::NoToken)
    }
}

/// A service whose callers are known before a message is read.
#[derive(Debug, Clone)]
pub struct Authenticated<S> {
    service: S,
    authentication: Authentication,
}

impl<S: NamedService> NamedService for Authenticated<S> {
    const NAME: &'static str = S::NAME;
}

impl<S, B> Service<http::Request<B>> for Authenticated<S>
where
    S: Service<http::Request<B>, Response = Response<Body>, Error = Infallible>,
    S::Future: Send + 'static,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response<Body>, Infallible>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.service.poll_ready(cx)
    }

    fn call(&mut self, mut request: http::Request<B>) -> Self::Future {
        let Authentication { toll, .. } = &self.authentication;
        let address = budget::peer(request.extensions());
        let caller = self.authentication.caller(request.headers());
        let paid = caller.and_then(|caller| {
            let account = caller.payer(address).map(|key| toll.account(key));
            if let Some(account) = &account {
                account.charge(cost(request.uri().path()))?;
            }
            Ok((caller, account))
        });
        match paid {
            Ok((caller, account)) => {
                request.extensions_mut().insert(caller);
                let call = self.service.call(request);
                match account {
                    Some(account) => Box::pin(account.pay_for(call)),
                    None => Box::pin(call),
                }
            }
            Err(refused) => {
                if !matches!(refused, Refused::Spent(_)) {
                    toll.refused(address);
                }
                let response = fault::status(refused).into_http();
                Box::pin(std::future::ready(Ok(response)))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{path::Path, time::Duration};

    use http::{HeaderValue, header::AUTHORIZATION};
    use jsonwebtoken::jwk::JwkSet;

    use super::*;
    use crate::{
        clock::Clock,
        principal::{Scopes, ServiceSigner, Signer},
    };

    fn toll() -> Toll {
        let config = budget::Config {
            budget: 25,
            loopback_budget: 25,
            ..budget::Config::default()
        };
        Toll::new("test", "test.grpc_rate_limit", config, Clock::system())
    }

    /// The issuer of users' tokens, the cart with its key in `folder`, and who checks the tokens of both.
    fn issuers(folder: &Path) -> (Signer, ServiceSigner, Tokens) {
        let clock = Clock::system();
        let issuer = Signer::generate(clock.clone());
        let keys = vec![issuer.jwk()];
        let users = Arc::new(Verifier::new(&JwkSet { keys }, clock.clone()).unwrap());
        let cart = ServiceSigner::announce("cart", folder, clock.clone()).unwrap();
        let services = ServiceVerifier::new(folder, clock);
        (issuer, cart, Tokens { users, services })
    }

    fn user(id: i64) -> UserId {
        UserId::try_from(id).unwrap()
    }

    #[test]
    fn a_call_without_a_token_is_believed_on_loopback_alone_unless_a_setting_says_more() {
        let at = |address: [u8; 4], is_allowed| {
            let address = SocketAddr::from((address, 8083));
            is_compatible(
                address,
                "loms.grpc_listen",
                is_allowed,
                "loms.beyond_loopback_enabled",
            )
        };
        assert!(at([127, 0, 0, 1], false) && at([0, 0, 0, 0], true));
        assert!(!at([0, 0, 0, 0], false));
    }

    /// Fails with every token taken for a service's.
    #[test]
    fn each_caller_is_who_its_token_says_and_without_one_the_setting_decides() {
        let folder = tempfile::tempdir().unwrap();
        let (issuer, cart, tokens) = issuers(folder.path());
        let [open, closed] =
            [true, false].map(|it| Authentication::new(tokens.clone(), &["cart"], it, toll()));
        let comments = ServiceSigner::announce("comments", folder.path(), Clock::system()).unwrap();
        let services = ServiceVerifier::new(folder.path(), Clock::system());
        let tokens = Tokens { services, ..tokens };
        let only_cart = Authentication::new(tokens, &["cart"], true, toll());
        let stranger = HeaderMap::from_iter([comments.header()]);
        assert!(matches!(
            only_cart.caller(&stranger),
            Err(Refused::Stranger(_))
        ));

        let nobody = HeaderMap::new();
        assert!(matches!(open.caller(&nobody), Ok(Caller::Compatible)));
        assert!(matches!(closed.caller(&nobody), Err(Refused::NoToken)));

        let ttl = Duration::from_secs(60);
        let token = issuer.user_token(user(7), Scopes::CUSTOMER, ttl);
        let mut headers = HeaderMap::new();
        let bearer = format!("Bearer {}", token.expose());
        headers.insert(AUTHORIZATION, HeaderValue::try_from(bearer).unwrap());
        for authentication in [&open, &closed] {
            let caller = authentication.caller(&headers).unwrap();
            assert!(caller.check_acts_for(user(7)).is_ok() && !caller.may_name_prices());
            assert_eq!(caller.check_acts_for(user(8)), Err(Denied::Forbidden));
        }

        let service = HeaderMap::from_iter([cart.header()]);
        let caller = closed.caller(&service).unwrap();
        assert!(matches!(&caller, Caller::Service(name) if &**name == "cart"));
        assert!(caller.check_acts_for(user(8)).is_ok() && caller.may_name_prices());

        for (name, value) in [
            ("authorization", "Bearer nonsense"),
            (SERVICE_TOKEN, token.expose()),
        ] {
            let value = HeaderValue::from_str(value).unwrap();
            let headers = HeaderMap::from_iter([(name.parse().unwrap(), value)]);
            assert!(
                open.caller(&headers).is_err(),
                "a token that comes is checked"
            );
        }
    }

    #[tokio::test]
    async fn each_caller_pays_from_its_own_budget_and_a_service_pays_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let (issuer, cart, tokens) = issuers(folder.path());
        let answer =
            |_: http::Request<()>| async { Ok::<_, Infallible>(Response::new(Body::empty())) };
        let authentication = Authentication::new(tokens, &["cart"], true, toll());
        let mut service = authentication.before(tower::service_fn(answer));
        let bearer = |id| {
            let token = issuer.user_token(user(id), Scopes::CUSTOMER, Duration::from_secs(60));
            let value = format!("Bearer {}", token.expose());
            (AUTHORIZATION, HeaderValue::try_from(value).unwrap())
        };
        let mut pay = async |caller: Option<(http::HeaderName, HeaderValue)>| {
            let mut request = http::Request::new(());
            *request.uri_mut() = "/loms.Loms/OrderPay".parse().unwrap();
            request.headers_mut().extend(caller);
            let response = service.call(request).await.unwrap();
            let pause = response.headers().get(fault::PUSHBACK).cloned();
            let status = tonic::Status::from_header_map(response.headers());
            (status.map(|it| it.code()), pause.is_some())
        };
        let (fine, spent) = ((None, false), (Some(tonic::Code::ResourceExhausted), true));
        for caller in [Some(bearer(7)), Some(bearer(8)), None] {
            for expected in [fine, fine, spent, spent] {
                assert_eq!(pay(caller.clone()).await, expected, "{caller:?}");
            }
        }
        for _ in 0..10 {
            assert_eq!(pay(Some(cart.header())).await, fine);
        }
    }
}
