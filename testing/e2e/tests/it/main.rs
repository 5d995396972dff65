//! One binary, one shared marketplace: `shop` starts it, each other module is a kind of user.

#![expect(clippy::unwrap_used, reason = "a step that fails fails the test")]

mod accessibility;
mod brokers;
mod browser;
mod compose;
mod compressed;
mod console;
mod corruptions;
mod crash;
mod dead_letters;
mod deaf_proxy;
mod doors;
mod error_samples;
mod full_disks;
mod graphql;
mod grpc;
mod kafka;
mod launcher;
mod layers;
mod load;
mod notifiers;
mod observability;
mod openapi;
mod operations;
mod playground;
mod process_tree;
mod rest;
mod rest_contract;
mod roles;
mod rolling;
mod shop;
mod stores;
mod stream_audit;
mod stream_memory;
mod subscription;
mod telemetry_page;
mod trace;
mod tutorial;
mod unknown_product;
mod verify;
mod wire;
