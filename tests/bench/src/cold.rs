//! One event in a fresh instance: the sandbox's own example measures it, here it is repeated and set beside bare wasmtime.

use std::process::Command;

use anyhow::{Context, Result, ensure};
use tidegate_tests_support::stats::Spread;

use crate::{
    Args,
    figure::{Figure, spread},
};

pub(crate) fn measure(args: &Args) -> Result<Vec<Figure>> {
    let (mut event, mut late, mut bare) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..args.rounds.unwrap_or(5) {
        let output = Command::new(&args.cold).arg("--json").env("TIDEGATE_PLUGINS", &args.plugins).output()?;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        ensure!(output.status.success(), "{} ended with {}: {said}", args.cold.display(), output.status);
        let figures: serde_json::Value = serde_json::from_slice(&output.stdout).context("figures of the example")?;
        let figure = |name: &str| figures.get(name).and_then(serde_json::Value::as_f64).context("a figure is missing");
        event.push(figure("cold_event")?);
        late.push(figure("cold_event_p99")?);
        bare.push(figure("bare_wasmtime")?);
    }
    let (event, late, bare) = (Spread::of(event), Spread::of(late), Spread::of(bare));
    Ok(vec![Figure {
        name: "cold_event".into(),
        value: event.median,
        unit: "us",
        peer: "bare wasmtime, the smallest component",
        peer_value: bare.median,
        ratio: bare.median / event.median,
        note: format!(
            "plugin `replicate`: fresh store and instance, one event in, one effect out, nothing synced; medians of \
             20000: {}; p99 {}; the peer decides nothing: {}",
            spread(&event, 1.0),
            spread(&late, 1.0),
            spread(&bare, 1.0)
        ),
    }])
}
