//! The commands beside `up`.

pub(crate) mod clean;
pub(crate) mod completions;
pub(crate) mod config;
pub(crate) mod dead_letters;
pub(crate) mod doctor;
pub(crate) mod load;
pub(crate) mod logs;
pub(crate) mod migrate;
pub(crate) mod open;
pub(crate) mod openapi;
pub(crate) mod resend;
pub(crate) mod sdl;
pub(crate) mod service;
pub(crate) mod status;
pub(crate) mod stop;
pub(crate) mod token;
pub(crate) mod verify;
