//! Bytes on a socket: requests with damage in them, and what is no request at all.

use std::time::Duration;

use rand::rngs::StdRng;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};

use super::{
    outcome::Outcome,
    text::{bytes, chance, damage, pick},
};
use crate::stack::Stack;

/// Every port, gRPC and the subgraphs' own included.
const PORTS: [u16; 13] = [
    4000, 4001, 4101, 4102, 4103, 4104, 8080, 8081, 8082, 8083, 8084, 8085, 8086,
];

const REQUESTS: [&str; 5] = [
    "POST /graphql HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: 24\r\n\r\n{\"query\":\"{__typename}\"}",
    "GET /graphql?query={__typename} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
    "POST /checkout/1 HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
    "GET /graphql HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n",
    "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\u{4}\0\0\0\0\0",
];

/// One connection.
pub(super) async fn connection(random: &mut StdRng, stack: &Stack) -> Outcome {
    let port = *pick(random, &PORTS);
    let sent = if chance(random, 20) {
        bytes(random, 500)
    } else {
        let request = *pick(random, &REQUESTS);
        damage(random, request.as_bytes().to_vec())
    };
    let Ok(mut socket) = TcpStream::connect(stack.address(port)).await else {
        return Outcome::new("socket", "no connection").fault(true, || format!("port {port}"));
    };
    // The other side may have closed already, as it should for nonsense.
    let _written = socket.write_all(&sent).await.is_ok();
    let mut answer = vec![0; 256];
    let read = timeout(Duration::from_millis(50), socket.read(&mut answer)).await;
    let answer = match read {
        Err(_) => "waits".to_owned(),
        Ok(Ok(0) | Err(_)) => "closed".to_owned(),
        Ok(Ok(length)) => {
            let text = String::from_utf8_lossy(&answer[..length]).into_owned();
            let status = text
                .strip_prefix("HTTP/1.1 ")
                .and_then(|rest| rest.get(..3));
            status.unwrap_or("bytes").to_owned()
        }
    };
    let is_fault = answer.starts_with('5') && !matches!(answer.as_str(), "501" | "503" | "505");
    let told = || {
        format!(
            "{answer} on port {port} for {:?}",
            String::from_utf8_lossy(&sent)
        )
    };
    let told = told();
    Outcome::new("socket", answer).fault(is_fault, || told)
}
