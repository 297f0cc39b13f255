//! What is told of each, as a table in Markdown.

use std::fmt;

use tidegate_api::Bot;

/// Characters of what happened.
const WORDS: usize = 76;

pub(super) struct Row {
    pub(super) name: String,
    /// What happened.
    pub(super) how: String,
    /// As it was when it had ended, if it came to run.
    pub(super) bot: Option<Bot>,
    /// The host's memory then, bytes.
    pub(super) memory: u64,
    /// Events that waited for the neighbour then.
    pub(super) lag: u64,
}

#[derive(Default)]
pub(super) struct Table(Vec<Row>);

impl Table {
    pub(super) fn add(&mut self, row: Row) {
        println!("{row}");
        self.0.push(row);
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "| fixture | what happened | fuel, M | handler, ms | peak, MiB | host, MiB | lag |")?;
        writeln!(f, "| --- | --- | ---: | ---: | ---: | ---: | ---: |")?;
        self.0.iter().try_for_each(|row| writeln!(f, "{row}"))
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mib = |bytes: u64| format!("{:.1}", bytes as f64 / f64::from(1 << 20));
        let ledger = self.bot.as_ref().map(|bot| &bot.ledger);
        let of = |value: Option<String>| value.unwrap_or_default();
        let how: String = self.how.chars().map(|c| if c == '|' || c == '\n' { ' ' } else { c }).collect();
        let cut = how.char_indices().nth(WORDS).map(|(at, _)| at);
        let how = cut.map_or(how.clone(), |at| format!("{}…", &how[..at]));
        write!(
            f,
            "| {} | {how} | {} | {} | {} | {:.0} | {} |",
            self.name,
            of(ledger.map(|it| format!("{:.1}", it.fuel as f64 / 1e6))),
            of(ledger.map(|it| format!("{:.1}", it.wall_seconds * 1e3))),
            of(ledger.map(|it| mib(it.memory_peak_bytes))),
            self.memory as f64 / f64::from(1 << 20),
            self.lag
        )
    }
}
