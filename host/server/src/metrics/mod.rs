//! `GET /metrics`: the host's figures in Prometheus' text format. [METRICS.md](../../METRICS.md) lists them.
//!
//! What is counted stands in the engine: ledgers, cursors, the queue. Nothing is counted twice, so a scrape takes a picture
//! of it and writes it out with `prometheus-client`, whose collectors are made for that. The other choice, `metrics` with
//! `metrics-exporter-prometheus`, keeps a registry of atomics that would have to follow every ledger and forget every bot
//! that is removed, and brings 13 new crates where this one brings three.

mod families;
mod write;

use tidegate_engine::Figures;

pub(crate) use prometheus_client::encoding::prometheus_text::CONTENT_TYPE;

/// The figures as text: families in the order of the list, each with its bots by name.
pub(crate) fn render(figures: Figures) -> String {
    write::text(figures)
}

#[cfg(test)]
mod tests;
