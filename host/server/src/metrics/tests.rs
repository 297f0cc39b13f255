use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write,
    time::Duration,
};

use tidegate_core::{Amount, BotName, Digest, Ledger, Mode, Verb, Why, limits};
use tidegate_engine::{BotFigures, Figures, JobFigures, Standing, TapFigures, TargetFigures};

use super::{
    families::FAMILIES,
    render,
    write::{Family, Kind},
};

fn bot(name: &str) -> BotFigures {
    let ledger = Ledger {
        handled: 7,
        faults: 2,
        fuel: 12_345_678_901,
        wall: Duration::from_micros(1_500),
        memory_peak: 1 << 20,
        host_calls: 40,
        host_bytes: 4_096,
        log_lines: 5,
        log_dropped: 6,
        effects: BTreeMap::from([(Verb::Replicate, Amount { count: 3, bytes: 192 << 20 })]),
        shadowed: 1,
        refused: BTreeMap::from([(Why::WouldLoseData, 4)]),
    };
    BotFigures {
        name: name.parse().unwrap(),
        plugin: Digest::of(b"x"),
        mode: Mode::Canary { percent: 20 },
        standing: Standing::Quarantined,
        parked: 1,
        metrics: BTreeMap::from([("queue_depth".into(), 2.5)]),
        state_bytes: 100,
        lag: 9,
        ledger,
    }
}

fn figures(bots: Vec<BotFigures>) -> Figures {
    let jobs = JobFigures { queued: 1, running: 2, done: 3, failed: 4, cancelled: 5 };
    let tap = |granted, millis| TapFigures { granted, waited: Duration::from_millis(millis), ..TapFigures::default() };
    let target = TargetFigures {
        limit: 16,
        in_flight: 12,
        throttled: 3,
        upload: tap(1 << 30, 2_500),
        download: tap(1 << 20, 0),
        requests: tap(100, 20),
        ..TargetFigures::default()
    };
    Figures {
        host: "node-1".parse().unwrap(),
        journal: 1_000,
        saves: 1,
        tier_free: 10 << 30,
        tier_size: 20 << 30,
        jobs,
        target,
        bots,
    }
}

/// As Prometheus calls it.
fn full_name(family: &Family) -> String {
    let unit = family.unit.as_ref().map(|unit| format!("_{}", unit.as_str())).unwrap_or_default();
    let end = match family.kind {
        Kind::Counter => "_total",
        Kind::Info => "_info",
        Kind::Gauge | Kind::Untyped => "",
    };
    format!("tidegate_{}{unit}{end}", family.name)
}

fn kind_name(kind: Kind) -> &'static str {
    match kind {
        Kind::Counter => "counter",
        Kind::Gauge | Kind::Info => "gauge",
        Kind::Untyped => "untyped",
    }
}

#[test]
fn the_text_is_the_golden_one_but_for_the_version() {
    let text = render(figures(vec![bot("first"), bot("second")]));
    insta::assert_snapshot!("text", text.replace(env!("CARGO_PKG_VERSION"), "VERSION"));
}

#[test]
fn the_table_and_the_text_tell_of_the_same_families() {
    let mut table = "| name | type | labels | what |\n| --- | --- | --- | --- |\n".to_owned();
    for family in FAMILIES {
        let labels: Vec<String> = family.labels.iter().map(|label| format!("`{label}`")).collect();
        let (name, kind, labels) = (full_name(family), kind_name(family.kind), labels.join(" "));
        writeln!(table, "| `{name}` | {kind} | {labels} | {} |", family.help).unwrap();
    }
    let document = include_str!("../../METRICS.md");
    assert!(document.contains(&table), "METRICS.md should have this table:\n{table}");

    let text = render(figures(vec![bot("b")]));
    let listed: Vec<String> = FAMILIES.iter().map(full_name).collect();
    for said in ["HELP", "TYPE"] {
        let written: Vec<&str> = text
            .lines()
            .filter_map(|line| line.strip_prefix(&format!("# {said} ")).and_then(|rest| rest.split(' ').next()))
            .collect();
        assert_eq!(written, listed, "{said}");
    }
    let sampled: BTreeSet<&str> =
        text.lines().filter(|line| !line.starts_with('#')).filter_map(|line| line.split(['{', ' ']).next()).collect();
    assert_eq!(sampled, listed.iter().map(String::as_str).collect(), "each family has samples, and nothing else is");
}

#[test]
fn names_and_units_follow_the_rules_of_prometheus() {
    for family in FAMILIES {
        let name = full_name(family);
        assert!(name.bytes().all(|it| it.is_ascii_lowercase() || it == b'_'), "{name}");
        assert!(!family.name.ends_with("_total") && !family.name.ends_with("_bytes"), "{name}: these are added");
        assert!(!family.help.is_empty() && !family.help.contains(['|', '\n']), "{name}");
    }
}

#[test]
fn what_a_bot_calls_its_numbers_cannot_break_out_of_its_label() {
    let metrics = BTreeMap::from([("a\"} 1\ntidegate_saves 99\\".to_owned(), 1.0)]);
    let text = render(figures(vec![BotFigures { metrics, ..bot("b") }]));
    let escaped = r#"tidegate_bot_metric{bot="b",metric="a\"} 1\ntidegate_saves 99\\"} 1.0"#;
    assert!(text.lines().any(|line| line == escaped), "{text}");
    assert!(!text.lines().any(|line| line == "tidegate_saves 99\\"));
}

#[test]
fn a_thousand_bots_that_use_all_they_may_are_some_megabytes() {
    let full = |nth: usize| {
        let mut it = bot("b");
        it.name = format!("bot-{nth}").parse::<BotName>().unwrap();
        it.metrics = (0..limits::BOT_METRICS).map(|nth| (format!("metric_{nth}"), nth as f64)).collect();
        it
    };
    let text = render(figures((0..1_000).map(full).collect()));
    assert!(text.len() < 8 << 20, "{} bytes", text.len());
    let of_one = text.lines().filter(|line| line.contains("\"bot-7\"")).count();
    assert!(of_one < limits::BOT_METRICS + 32, "{of_one} samples of one bot");
}
