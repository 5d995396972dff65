#![doc = include_str!("../README.md")]

mod cache;
mod client;
mod config;
mod error;
mod fold;
mod http;
mod metrics;
mod product;
mod products;
mod rate_limit;
mod search;

pub use crate::{
    cache::CachedClient,
    client::ProductClient,
    config::Config,
    error::Error,
    http::{HttpClient, SetupError},
    product::Product,
    products::Products,
    rate_limit::RateLimit,
    search::{MAX_SEARCH, Search, TooLong},
};
