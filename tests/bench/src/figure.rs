//! A measured figure and how it is printed.

use std::fmt::Write;

use serde_json::json;
use tidegate_tests_support::stats::Spread;

/// One figure beside its peer's.
#[derive(Debug, Clone)]
pub(crate) struct Figure {
    pub(crate) name: String,
    pub(crate) value: f64,
    pub(crate) unit: &'static str,
    /// What it is compared with.
    pub(crate) peer: &'static str,
    pub(crate) peer_value: f64,
    /// How many times better than the peer: above 1 Tidegate is better.
    pub(crate) ratio: f64,
    /// How it was measured, and its spread.
    pub(crate) note: String,
}

impl Figure {
    /// One line of JSON.
    pub(crate) fn json(&self) -> String {
        let Self { name, value, unit, peer, peer_value, ratio, note } = self;
        let round = |value: f64| (value * 10_000.0).round() / 10_000.0;
        let (value, peer_value, ratio) = (round(*value), round(*peer_value), round(*ratio));
        json!({ "name": name, "value": value, "unit": unit, "peer": peer, "peer_value": peer_value, "ratio": ratio,
            "note": note })
        .to_string()
    }
}

/// All figures for people.
pub(crate) fn table(figures: &[Figure]) -> String {
    let mut text = String::from("\n");
    for it in figures {
        // Writing to a text can't fail.
        let _ = writeln!(
            text,
            "{:<38} {:>10.2} {:<8}  {}: {:.2}  ratio {:.3}\n    {}",
            it.name, it.value, it.unit, it.peer, it.peer_value, it.ratio, it.note
        );
    }
    text
}

/// `12.3 (11.9..13.0, n=7)`, each multiplied by `scale`.
pub(crate) fn spread(values: &Spread, scale: f64) -> String {
    let Spread { count, median, least, most } = values;
    format!("{:.2} ({:.2}..{:.2}, n={count})", median * scale, least * scale, most * scale)
}
