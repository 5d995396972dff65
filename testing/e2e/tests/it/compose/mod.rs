//! The stack of `compose.yaml`, without a container engine: the file as its specification's own loader reads it, the
//! Dockerfile's linter, and each service's command run natively with the environment that its container would have.

mod file;
mod production;
mod proxy;
mod service;
mod stack;
