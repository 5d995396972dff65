//! What clients of the router see, over real sockets: the real engine and the project's supergraph, small subgraphs in
//! memory, and a real broker for the streams.

mod client;
mod drain;
mod filters;
mod frames;
mod framing;
mod http;
mod live;
mod mutation;
mod parcels;
mod registry;
mod reload;
mod removed;
mod rest;
mod resume;
mod rules;
mod sharing;
mod shop;
mod single;
mod slow;
mod sse;
mod stock;
mod subgraphs;
mod websocket;
