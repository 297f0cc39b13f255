//! One fixture, from its upload to its end.

use serde_json::Value;
use tidegate_api::{Bot, Committed, Problem};
use tidegate_tests_support::{guest, http::Response, proc, wait};

use super::{
    fixture::{End, Fixture},
    neighbour::Neighbour,
    scene::Scene,
    table::{Row, Table},
};
use crate::bad_input::site::{PATIENCE, check};

/// What an instance may have of memory, bytes.
const MEMORY: u64 = 64 << 20;
/// Bytes of anything that people are shown of it: its own error has 4096, and something stands before it.
const WORDS: usize = 4200;

impl Scene {
    /// Uploads and installs it. True if it stands, and waits for its event.
    pub(super) fn enter(&mut self, fixture: &Fixture, table: &mut Table) -> bool {
        let (name, end) = (&fixture.name, &fixture.end);
        let response = self.site.upload(&fixture.component);
        if let End::NotUploaded { code, said } = end {
            let problem = check(&response, code, name);
            self.refused_at("upload", name, problem, said, table);
            return false;
        }
        assert_eq!(response.status, 201, "{name}: {}", response.text());
        let digest = response.json().unwrap()["digest"].as_str().unwrap().to_owned();
        let migrates = matches!(end, End::NotMigrated { .. });
        if migrates {
            self.site.install(name, &self.site.plugin(&guest::component("", "").unwrap()));
        }
        let response = self.put(fixture, &digest);
        match end {
            End::NotInstalled { code, said } => {
                let problem = check(&response, code, name);
                self.site.refused("TG0019", "GET", &format!("/v1/bots/{name}"), &Value::Null);
                self.refused_at("installation", name, problem, said, table);
                return false;
            }
            End::NotMigrated { code, said } => {
                let problem = check(&response, code, name);
                let bot = self.site.bot(name);
                assert!(bot.state == "running" && bot.plugin != digest, "{bot:?}");
                self.refused_at("migration", name, problem, said, table);
                self.leave(fixture);
                return false;
            }
            _ => assert_eq!(response.status, 200, "{name}: {}", response.text()),
        }
        true
    }

    fn refused_at(&self, place: &str, name: &str, problem: Problem, said: &[String], table: &mut Table) {
        assert!(contains_one(&problem.detail, said), "{name}: {}", problem.detail);
        assert!(is_clean(&problem.detail) && problem.detail.len() <= WORDS, "{name}: {}", problem.detail);
        let how = format!("refused at {place}: {} {}", problem.code, problem.detail);
        table.add(self.row(name, how));
    }

    pub(super) fn put(&self, fixture: &Fixture, plugin: &str) -> Response {
        let (path, spec) = (format!("/v1/bots/{}", fixture.name), Self::spec(fixture, plugin));
        self.site.send("PUT", &path, spec.as_bytes(), Some("application/json"))
    }

    /// Waits until a bot has dealt with an event or given it up, while the neighbour has work too. It has kept within what
    /// every bot is held to.
    pub(super) fn until_ended(&mut self, name: &str, committed: &Committed) -> Bot {
        let bot = wait::until(&format!("the end of {name}"), PATIENCE, || {
            self.quiet_checkpoint();
            let bot = self.site.bot(name);
            Ok((bot.state == "quarantined" || bot.cursor >= committed.seq).then_some(bot))
        });
        let bot = bot.unwrap();
        assert!(bot.ledger.memory_peak_bytes <= MEMORY, "{name}: {bot:?}");
        assert!(bot.log.iter().chain(&bot.last_fault).all(|it| is_clean(it) && it.len() <= WORDS), "{name}: {bot:?}");
        assert!(bot.effects as usize >= self.jobs_of(name), "{name}: {bot:?}");
        if bot.state == "quarantined" {
            assert_eq!(bot.parked, Some(bot.cursor + 1), "{name}: its event is kept");
            self.nothing_was_committed_by(name);
        }
        bot
    }

    /// Waits for its end after the event that woke it.
    pub(super) fn judge(&mut self, fixture: &Fixture, committed: &Committed, table: &mut Table) {
        let name = &fixture.name;
        let bot = self.until_ended(name, committed);
        let how = if let End::Quarantined { said } = &fixture.end {
            let fault = bot.last_fault.clone().unwrap_or_default();
            assert_eq!((&*bot.state, bot.parked), ("quarantined", Some(committed.seq)), "{name}: {bot:?}");
            assert!(contains_one(&fault, said), "{name}: {fault}");
            let words = fault.split_once(": ").map_or(fault.as_str(), |(_, words)| words);
            format!("quarantined: {words}")
        } else {
            assert!(bot.state == "running" && bot.faults == 0, "{name}: {bot:?}");
            ran(&bot)
        };
        let shown = serde_json::to_value(&bot).unwrap();
        fixture.checks.iter().for_each(|it| assert!(holds(it, &shown), "{name}: {it}: {shown:#}"));
        table.add(Row { bot: Some(bot), ..self.row(name, how) });
        assert_eq!(self.site.get::<Value>("/v1/health")["ready"], true, "{name}");
    }

    pub(super) fn row(&self, name: &str, how: String) -> Row {
        let memory = proc::memory(self.site.host.pid().unwrap()).unwrap_or_default();
        Row { name: name.into(), how, bot: None, memory, lag: Neighbour.lag(&self.site) }
    }
}

/// What it got instead of what it wanted.
fn ran(bot: &Bot) -> String {
    let mut how = vec!["ran".to_owned()];
    how.extend(bot.ledger.refused.iter().map(|(why, count)| format!("{count} {why}")));
    how.extend((bot.effects > 0).then(|| format!("{} effects", bot.effects)));
    how.extend((bot.state_bytes > 0).then(|| format!("{} bytes of state", bot.state_bytes)));
    how.extend((bot.ledger.log_lines_dropped > 0).then(|| format!("{} lines dropped", bot.ledger.log_lines_dropped)));
    how.join(", ")
}

fn contains_one(text: &str, said: &[String]) -> bool {
    said.is_empty() || said.iter().any(|said| text.contains(said))
}

/// Safe to show on a terminal.
pub(super) fn is_clean(text: &str) -> bool {
    !text.contains(|c: char| c.is_control() && c != '\n')
}

/// Whether a number of the bot is as a check says; one that is not there is 0.
fn holds(check: &str, bot: &Value) -> bool {
    let [place, is, number]: [&str; 3] = check.split(' ').collect::<Vec<_>>().try_into().unwrap();
    let (value, number) = (bot.pointer(place).map_or(0, |it| it.as_u64().unwrap()), number.parse::<u64>().unwrap());
    match is {
        "=" => value == number,
        "<=" => value <= number,
        ">=" => value >= number,
        _ => panic!("a check that there is not: {check}"),
    }
}
