//! The REST API, version 1, over [`tidegate_engine::Host`]: JSON over HTTP/1.1 on a Unix socket and on loopback TCP.
//!
//! This crate decides nothing about checkpoints: it reads requests strictly, asks the engine and writes its answers.
//! What it does decide is who may ask: the socket file has mode 0660; TCP never leaves the loopback interface, and there a
//! request must name a loopback host and come from no foreign web page. It is **not** a place for TLS or tokens:
//! off-host listeners do not exist here.
//!
//! One file a resource in `resource/`; what all of them share is in `http/`; sockets are in `listen/`.

mod answer;
mod app;
mod connection;
mod http;
mod listen;
mod metrics;
mod openapi;
mod resource;
mod router;
mod serve;

pub use listen::{Error, Listen};
pub use openapi::document;
pub use resource::{recorded, try_out};
pub use serve::Server;
