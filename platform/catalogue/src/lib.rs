#![doc = include_str!("../README.md")]

mod cache;
mod client;
mod config;
mod error;
mod http;
mod metrics;
mod product;
mod products;
mod rate_limit;

pub use crate::{
    cache::CachedClient,
    client::ProductClient,
    config::Config,
    error::Error,
    http::{HttpClient, SetupError},
    product::Product,
    products::Products,
    rate_limit::RateLimit,
};
