//! gRPC with messages that are bytes: random ones, and whole ones with damage.

use bytes::Bytes;
use rand::{Rng as _, rngs::StdRng};
use tonic::{
    Code, Request, Status,
    client::Grpc,
    codegen::http::uri::PathAndQuery,
    metadata::MetadataValue,
    transport::{Channel, Endpoint},
};

use super::{
    outcome::Outcome,
    text::{bytes, chance, damage, pick, string},
};
use crate::{raw::Raw, stack::Stack};

/// Methods of the order service and of the comments, under both names of each service.
const METHODS: [(u16, &str); 19] = [
    (8083, "/loms.Loms/OrderCreate"),
    (8083, "/loms.Loms/OrderInfo"),
    (8083, "/loms.Loms/OrderPay"),
    (8083, "/loms.Loms/OrderCancel"),
    (8083, "/loms.Loms/StocksInfo"),
    (8083, "/loms.Loms/StocksList"),
    (8083, "/Loms/OrderCreate"),
    (8083, "/Loms/StocksInfo"),
    (8083, "/grpc.health.v1.Health/Check"),
    (8083, "/loms.Loms/Unknown"),
    (8085, "/comments.Comments/CommentAdd"),
    (8085, "/comments.Comments/CommentGetByID"),
    (8085, "/comments.Comments/CommentEdit"),
    (8085, "/comments.Comments/CommentListBySKU"),
    (8085, "/comments.Comments/CommentListByUser"),
    (8085, "/Comments/CommentAdd"),
    (8085, "/Comments/CommentListBySKU"),
    (8085, "/grpc.health.v1.Health/Check"),
    (8085, "/Unknown/Unknown"),
];

/// The bytes of a message that a finding shows; the seed gives the rest.
const SHOWN: usize = 64;

/// A channel to each service.
pub(super) struct GrpcFuzz {
    loms: Channel,
    comments: Channel,
}

impl GrpcFuzz {
    /// Connects when first used.
    ///
    /// # Errors
    /// When an address is none.
    pub(super) fn new(stack: &Stack) -> anyhow::Result<Self> {
        let channel = |port| anyhow::Ok(Endpoint::from_shared(stack.url(port))?.connect_lazy());
        Ok(Self {
            loms: channel(8083)?,
            comments: channel(8085)?,
        })
    }

    /// One call.
    pub(super) async fn call(&self, random: &mut StdRng) -> Outcome {
        let (port, method) = pick(random, &METHODS);
        let channel = if *port == 8083 {
            &self.loms
        } else {
            &self.comments
        };
        let message = message(random);
        let start = &message[..message.len().min(SHOWN)];
        let told = format!("{method} {} bytes: {start:02x?}", message.len());
        let mut request = Request::new(Bytes::from(message));
        request.set_timeout(std::time::Duration::from_secs(15));
        if chance(random, 10) {
            let names = [
                "authorization",
                "idempotency-key",
                "traceparent",
                "grpc-encoding",
            ];
            // A longer one comes back in the refusal of an unknown encoding, and is too long a header for the client.
            let value: String = string(random).chars().take(500).collect();
            if let Ok(value) = MetadataValue::try_from(value) {
                request.metadata_mut().insert(*pick(random, &names), value);
            }
        }
        let mut client = Grpc::new(channel.clone());
        if client.ready().await.is_err() {
            return Outcome::new("grpc", "no connection").fault(true, || told);
        }
        let path = PathAndQuery::from_static(method);
        let answer = client.unary(request, path, Raw).await;
        let status = answer.err().unwrap_or_else(|| Status::ok(""));
        let (code, sentence) = (status.code(), status.message());
        Outcome::new("grpc", format!("{code:?}")).fault(is_fault(&status), || {
            format!("{code:?} {sentence:?} for {told}")
        })
    }
}

/// Whether a call ended by no doing of its client's. Nothing that the services need is away while they are attacked, so
/// nothing justifies `Unavailable` and `Cancelled`; who is refused for the moment is told when to come again, and who sends too
/// much which setting says so.
fn is_fault(status: &Status) -> bool {
    match status.code() {
        Code::Internal
        | Code::Unknown
        | Code::DataLoss
        | Code::DeadlineExceeded
        | Code::Unavailable
        | Code::Cancelled => true,
        Code::ResourceExhausted => {
            let is_for_now = status.metadata().contains_key("grpc-retry-pushback-ms");
            !is_for_now && !status.message().contains("(setting ")
        }
        Code::Ok
        | Code::InvalidArgument
        | Code::NotFound
        | Code::AlreadyExists
        | Code::PermissionDenied
        | Code::FailedPrecondition
        | Code::Aborted
        | Code::OutOfRange
        | Code::Unimplemented
        | Code::Unauthenticated => false,
    }
}

/// Random bytes, or fields of random values.
fn message(random: &mut StdRng) -> Vec<u8> {
    if chance(random, 20) {
        return bytes(random, 64);
    }
    let mut message = fields(random, 0);
    if chance(random, 20) {
        message = damage(random, message);
    }
    message
}

fn fields(random: &mut StdRng, depth: u32) -> Vec<u8> {
    let mut message = Vec::new();
    for _ in 0..random.random_range(0..5) {
        let number = random.random_range(1_u8..7);
        if chance(random, 60) {
            message.push(number << 3);
            let value = match random.random_range(0..4) {
                0 => random.random(),
                1 => 0,
                _ => random.random_range(0..5_000),
            };
            varint(&mut message, value);
        } else {
            let inner = if depth < 2 && chance(random, 50) {
                fields(random, depth + 1)
            } else {
                string(random).into_bytes()
            };
            message.push(number << 3 | 2);
            varint(&mut message, inner.len() as u64);
            message.extend(inner);
        }
    }
    message
}

/// A base-128 number, as protobuf writes it.
fn varint(message: &mut Vec<u8>, mut value: u64) {
    while value > 0x7f {
        message.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    message.push((value & 0x7f) as u8);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Seen red with `Unavailable` and `Cancelled` let pass.
    #[test]
    fn only_the_clients_own_doing_and_a_proper_refusal_are_no_fault() {
        for code in [Code::Unavailable, Code::Cancelled, Code::DeadlineExceeded] {
            assert!(is_fault(&Status::new(code, "")), "{code:?}");
        }
        let mut refused = Status::resource_exhausted("");
        assert!(is_fault(&refused), "it does not say when to come again");
        refused
            .metadata_mut()
            .insert("grpc-retry-pushback-ms", 1_000.into());
        assert!(!is_fault(&refused));
        assert!(!is_fault(&Status::resource_exhausted(
            "9 bytes are too many (setting x)"
        )));
        assert!(!is_fault(&Status::invalid_argument("")));
    }
}
