//! One binary, one shared marketplace: `shop` starts it, each other module is a kind of user.

#![expect(clippy::unwrap_used, reason = "a step that fails fails the test")]

mod crash;
mod deaf_proxy;
mod graphql;
mod grpc;
mod kafka;
mod launcher;
mod notifiers;
mod playground;
mod rest;
mod rest_contract;
mod shop;
mod stores;
mod subscription;
mod tutorial;
mod wire;
