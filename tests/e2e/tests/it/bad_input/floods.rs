//! Bots that mean harm while they handle an event: each is stopped, set aside with its events kept, and the others and
//! the host go on.

use tidegate_api::Bot;
use tidegate_tests_support::{guest, proc};

use super::site::{Site, on_shards};

/// Bytes of memory that the host may have used at most, with six hostile bots at it. The bound of one bot is 64 MiB.
const MEMORY: u64 = 700 << 20;

/// Name, imports, body, and what the fault must say.
fn hostile() -> Vec<(&'static str, &'static str, String, &'static str)> {
    let fill = "(memory.fill (i32.const 1000) (i32.const 97) (i32.const 512))";
    let prune = "(call $prune (local.get $run) (local.get $run_len) (i64.const 1) (i32.const 0) (i32.const 1000) \
                 (i32.const 512) (i32.const 64))";
    let grow = "(drop (memory.grow (i32.const 900)))";
    vec![
        ("loops", "", "(loop $l (br $l))".into(), "units of fuel"),
        ("traps", "", "unreachable".into(), "unreachable"),
        // 4 GiB, page by page, until it is told no; then it dies of it.
        (
            "eats",
            "",
            "(loop $l (br_if $l (i32.ne (memory.grow (i32.const 16)) (i32.const -1)))) unreachable".into(),
            "memory",
        ),
        // 200,000 effects of 512 bytes are 100 MB.
        ("floods", guest::PRUNE, format!("{fill} (loop $l {prune} (br $l))"), "handed to the host"),
        // One string of 50 MB, which is in its memory, and one of 100 MB, which is not.
        (
            "shouts",
            guest::PRUNE,
            format!(
                "{grow} (call $prune (i32.const 0) (i32.const 50000000) (i64.const 1) (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 64))"
            ),
            "",
        ),
        (
            "answers",
            "",
            "(i32.store8 (i32.const 16) (i32.const 1)) (i32.store (i32.const 20) (i32.const 0)) \
             (i32.store (i32.const 24) (i32.const 100000000))"
                .into(),
            "",
        ),
        (
            "recurses",
            "(func $f (param i32) (result i32) (i32.add (call $f (local.get 0)) (i32.const 1)))",
            "(drop (call $f (i32.const 1)))".into(),
            "stack",
        ),
    ]
}

/// The body for the event that a shard was committed; a bot is also woken when it is installed.
fn on_a_shard(body: &str) -> String {
    format!("(if (i32.eq (local.get $what) (i32.const 1)) (then {body}))")
}

fn quarantined(bot: &Bot) -> bool {
    bot.state == "quarantined"
}

#[test]
fn hostile_bots_end_in_quarantine_with_their_events_kept_and_harm_nobody() {
    let site = Site::start();
    let counter = site.plugin(&good());
    site.install("good", &counter);
    for (name, top, body, _) in hostile() {
        let plugin = site.plugin(&guest::component(top, &on_a_shard(&body)).unwrap());
        site.install(name, &plugin);
    }
    let committed = site.checkpoint("gpt", 1);

    for (name, _, _, said) in hostile() {
        let bot = site.until_bot(name, "quarantined", quarantined);
        let fault = bot.last_fault.clone().unwrap();
        println!("{name}: {fault}");
        // On a machine that others keep busy the deadline may come before the bound that is meant; it is a bound as well.
        assert!(fault.contains(said) || fault.contains("ran longer"), "{name}: {fault}");
        assert_eq!(
            (bot.cursor, bot.effects),
            (committed.seq - 1, 0),
            "{name} stands before the event that it failed on"
        );
        assert!(bot.lag > 0 && bot.faults >= 4, "{name}: {bot:?}");
    }
    let kinds: Vec<_> = site.events().into_iter().filter(|event| event.kind == "bot-quarantined").collect();
    assert_eq!(kinds.len(), hostile().len());
    assert!(kinds.iter().all(|event| event.what["at"] == committed.seq), "{kinds:?}");
    assert!(
        site.get::<serde_json::Value>("/v1/jobs")["items"]
            .as_array()
            .unwrap()
            .iter()
            .all(|job| job["by"] == "replicate")
    );

    // The others have gone on, and go on.
    site.until_bot("good", "done with the event", |bot| bot.cursor >= committed.seq && bot.handled >= 1);
    site.still_works();
    if let Some(peak) = proc::peak_memory(site.host.pid().unwrap()) {
        println!("the host used {peak} bytes at most");
        assert!(peak < MEMORY, "{peak} bytes");
    }
}

#[test]
fn a_quarantined_bot_tries_again_when_it_is_resumed_and_handles_its_events_when_it_is_mended() {
    let mut site = Site::start();
    let faulty = site.plugin(&guest::component("", &on_a_shard("unreachable")).unwrap());
    site.install("wobbly", &faulty);
    let committed = site.checkpoint("gpt", 1);
    let stopped = site.until_bot("wobbly", "quarantined", quarantined);
    assert_eq!(stopped.cursor, committed.seq - 1);

    // It survives a restart, a resume makes it try the very same event again, and nothing is lost by that.
    site.host.restart().unwrap();
    assert!(quarantined(&site.bot("wobbly")));
    let resumed: Bot = site.done("POST", "/v1/bots/wobbly/resume", &serde_json::Value::Null);
    assert_eq!((resumed.state.as_str(), resumed.cursor), ("running", committed.seq - 1));
    let again = site.until_bot("wobbly", "quarantined again", quarantined);
    assert_eq!(again.cursor, committed.seq - 1);
    assert_eq!(site.events().iter().filter(|event| event.kind == "bot-quarantined").count(), 2);

    // A mended component under the same name begins with the event that waited.
    let mended = site.plugin(&good());
    site.install("wobbly", &mended);
    let done =
        site.until_bot("wobbly", "done with its events", |bot| bot.state == "running" && bot.cursor > committed.seq);
    assert!(done.handled >= 1, "{done:?}");
    site.refused("TG0024", "POST", "/v1/bots/wobbly/resume", &serde_json::Value::Null);
    site.still_works();
}

#[test]
fn an_effect_beyond_the_grant_is_refused_to_the_bot_and_is_no_job() {
    let site = Site::start();
    // It asks to prune what it is woken by, and takes no refusal for an error.
    let body = "(if (i32.eq (local.get $what) (i32.const 1)) (then
        (memory.fill (i32.const 1000) (i32.const 97) (i32.const 8))
        (call $prune (local.get $run) (local.get $run_len) (local.get $step) (i32.const 0) (i32.const 1000) (i32.const 8) (i32.const 64))))";
    let plugin = site.plugin(&guest::component(guest::PRUNE, body).unwrap());
    let mut spec = on_shards(&plugin);
    spec["grants"] = serde_json::json!({ "read": ["*"], "prune": ["other"], "tiers": ["nvme"] });
    let _: Bot = site.done("PUT", "/v1/bots/greedy", &spec);
    site.checkpoint("gpt", 1);
    let second = site.checkpoint("gpt", 2);
    let bot = site.until_bot("greedy", "done", |bot| bot.cursor >= second.seq);
    assert_eq!((bot.state.as_str(), bot.effects), ("running", 0), "{bot:?}");
    let jobs = site.get::<serde_json::Value>("/v1/jobs");
    assert!(jobs["items"].as_array().unwrap().iter().all(|job| job["by"] != "greedy"), "{jobs}");
    site.still_works();
}

/// Writes eight bytes of state for each event.
fn good() -> Vec<u8> {
    let body = "(i32.store8 (i32.const 1000) (i32.const 107))
        (i64.store (i32.const 1008) (local.get $seq))
        (call $state_set (i32.const 1000) (i32.const 1) (i32.const 1008) (i32.const 8) (i32.const 64))";
    guest::component(guest::STATE_SET, body).unwrap()
}
