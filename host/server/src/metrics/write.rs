//! How a family is written.

use std::{fmt, iter::zip};

pub(super) use prometheus_client::registry::Unit;
use prometheus_client::{
    collector::Collector,
    encoding::{
        CounterValueEncoder, DescriptorEncoder, EncodeCounterValue, EncodeGaugeValue, GaugeValueEncoder, MetricEncoder,
        NoLabelSet, prometheus_text,
    },
    metrics::MetricType,
    registry::Registry,
};
use tidegate_engine::{BotFigures, Figures};

use super::families::FAMILIES;

/// One family: its name, what it means, and where its samples come from.
pub(super) struct Family {
    /// Without the prefix, the unit and `_total`.
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    pub(super) unit: Option<Unit>,
    /// The labels of each sample, in this order.
    pub(super) labels: &'static [&'static str],
    pub(super) help: &'static str,
    pub(super) read: Read,
}

/// What Prometheus makes of a number.
#[derive(Clone, Copy)]
pub(super) enum Kind {
    /// Only grows, until the host starts anew or the bot is put to work anew.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Nothing but labels; the number is 1.
    Info,
    /// One or the other, which the host does not know.
    Untyped,
}

/// Where the samples come from.
pub(super) enum Read {
    /// One of the host.
    Host(fn(&Figures) -> Value),
    /// One of each bot, labelled with its name.
    Bots(fn(&BotFigures) -> Value),
    /// As it says.
    Labelled(fn(&Figures, &mut Out<'_, '_>) -> fmt::Result),
}

/// A number.
#[derive(Clone, Copy, Debug)]
pub(super) enum Value {
    /// Of things.
    Count(u64),
    /// Of whatever.
    Number(f64),
}

impl From<u64> for Value {
    fn from(count: u64) -> Self {
        Self::Count(count)
    }
}

impl EncodeCounterValue for Value {
    fn encode(&self, encoder: &mut CounterValueEncoder<'_>) -> fmt::Result {
        match self {
            Self::Count(count) => EncodeCounterValue::encode(count, encoder),
            Self::Number(number) => EncodeCounterValue::encode(number, encoder),
        }
    }
}

impl EncodeGaugeValue for Value {
    fn encode(&self, encoder: &mut GaugeValueEncoder<'_>) -> fmt::Result {
        match self {
            Self::Count(count) => EncodeGaugeValue::encode(count, encoder),
            Self::Number(number) => EncodeGaugeValue::encode(number, encoder),
        }
    }
}

/// Where the samples of one family go.
pub(super) struct Out<'a, 'w> {
    family: &'a Family,
    to: MetricEncoder<'w>,
}

impl Out<'_, '_> {
    /// A sample; `values` are those of the family's labels.
    pub(super) fn write(&mut self, values: &[&str], value: impl Into<Value>) -> fmt::Result {
        let value = value.into();
        let labels: Vec<(&str, &str)> = zip(self.family.labels.iter().copied(), values.iter().copied()).collect();
        match (self.family.kind, labels.is_empty()) {
            (Kind::Counter, true) => self.to.encode_counter::<NoLabelSet, _, u64>(&value, None),
            (Kind::Counter, false) => {
                self.to.encode_family(&labels)?.encode_counter::<NoLabelSet, _, u64>(&value, None)
            }
            (Kind::Info, _) => self.to.encode_info(&labels),
            (Kind::Gauge | Kind::Untyped, true) => self.to.encode_gauge(&value),
            (Kind::Gauge | Kind::Untyped, false) => self.to.encode_family(&labels)?.encode_gauge(&value),
        }
    }

    /// A sample of a [`Kind::Info`].
    pub(super) fn info(&mut self, values: &[&str]) -> fmt::Result {
        self.write(values, 1)
    }

    /// Several samples of each bot, which differ in the second label.
    pub(super) fn parts(
        &mut self,
        figures: &Figures,
        each: impl Fn(&BotFigures, &mut dyn FnMut(&str, Value) -> fmt::Result) -> fmt::Result,
    ) -> fmt::Result {
        figures
            .bots
            .iter()
            .try_for_each(|bot| each(bot, &mut |part, value| self.write(&[bot.name.as_str(), part], value)))
    }
}

/// Writes all families of one picture.
#[derive(Debug)]
struct Scrape(Figures);

impl Collector for Scrape {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        for family in FAMILIES {
            let kind = match family.kind {
                Kind::Counter => MetricType::Counter,
                Kind::Gauge => MetricType::Gauge,
                Kind::Info => MetricType::Info,
                Kind::Untyped => MetricType::Unknown,
            };
            let to = encoder.encode_descriptor(family.name, family.help, family.unit.as_ref(), kind)?;
            let mut out = Out { family, to };
            match &family.read {
                Read::Host(read) => out.write(&[], read(&self.0))?,
                Read::Bots(read) => {
                    self.0.bots.iter().try_for_each(|bot| out.write(&[bot.name.as_str()], read(bot)))?;
                }
                Read::Labelled(read) => read(&self.0, &mut out)?,
            }
        }
        Ok(())
    }
}

/// The whole text. Writing into memory does not fail.
pub(super) fn text(figures: Figures) -> String {
    let mut registry = Registry::with_prefix("tidegate");
    registry.register_collector(Box::new(Scrape(figures)));
    let mut text = String::new();
    if let Err(error) = prometheus_text::encode(&mut text, &registry) {
        tracing::error!(%error, "metrics could not be written");
    }
    text
}
