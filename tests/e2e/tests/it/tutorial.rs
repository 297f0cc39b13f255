//! The tutorial of `sdk/rust`, by its letter: its crate, its bot, its tests and every command of its blocks, and the bot does
//! what it says. What stands in its sentences, such as another version beside this one, is tested elsewhere.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use serde_json::{Value, json};
use tidegate_api::{Checkpoint, Save};
use tidegate_tests_support::{
    host::{self, Options, TidegateProcess},
    http::Request,
    wait,
};

use crate::workshop::{Workshop, root, run};

/// The blocks of code in this language, in their order.
fn blocks(text: &str, language: &str) -> Vec<String> {
    let (mut found, mut within) = (Vec::new(), None::<String>);
    for line in text.lines() {
        match (&mut within, line.strip_prefix("```")) {
            (None, Some(rest)) if rest == language => within = Some(String::new()),
            (Some(_), Some(_)) => found.extend(within.take()),
            (Some(block), None) => *block += &format!("{line}\n"),
            _ => {}
        }
    }
    found
}

#[test]
fn the_tutorial_leads_to_a_bot_at_work() {
    let tutorial = fs::read_to_string(root().join("sdk/rust/README.md")).unwrap();
    let [manifest, bot, tests, installation] =
        ["toml", "rust", "rust,ignore", "json"].map(|language| blocks(&tutorial, language));
    let workshop = Workshop::open("milestones");
    fs::create_dir_all(workshop.crate_dir.join("src")).unwrap();
    let sdk = format!("tidegate-sdk = {{ path = {:?} }} #", root().join("sdk/rust"));
    // A workspace of its own, since it stands within this one.
    let manifest = manifest[0].replace("tidegate-sdk = ", &sdk) + "\n[workspace]\n";
    fs::write(workshop.crate_dir.join("Cargo.toml"), manifest).unwrap();
    let source = format!("{}\n#[cfg(test)]\nmod tests {{\nuse super::*;\n{}}}\n", bot[0], tests.concat());
    fs::write(workshop.crate_dir.join("src/lib.rs"), source).unwrap();
    workshop.equip();

    let said = run(&mut workshop.plugin(&["test"]));
    assert!(said.contains(&format!("{} passed", tests.len() + 1)), "each test, and that of the schema: {said}");

    let folder = tempfile::tempdir().unwrap();
    let host = Options::dev(&folder.path().join("host")).start().unwrap();
    let shell = Shell { workshop: &workshop, socket: host.socket() };
    let commands: Vec<Vec<String>> = blocks(&tutorial, "sh").iter().map(|block| commands(block)).collect();
    let [building, installing, measuring, trying, trusting] = <[Vec<String>; 5]>::try_from(commands).unwrap();

    let shown = shell.all(&building);
    let table = blocks(&tutorial, "text").concat();
    assert!(shown.ends_with(&table), "{shown}");

    shell.all(&installing);
    save(&host, 15_000);
    let looked = |step: u64| host.ask::<Checkpoint>(&format!("/v1/runs/gpt-1/checkpoints/{step}"));
    let pinned =
        wait::until("the pin", Duration::from_secs(120), || Ok(Some(looked(15_000)?).filter(|it| it.pinned))).unwrap();
    assert_eq!(pinned.pins[0].reason, "a multiple of 5000");
    // What is said over the API is the same.
    let bot = || host.get("/v1/bots/milestones").unwrap();
    let before = bot();
    let digest = before["plugin"].as_str().unwrap();
    ask(&host, "PUT", "/v1/bots/milestones", &installation[0].replace("<digest>", digest));
    for field in ["plugin", "settings", "grants", "triggers"] {
        assert_eq!(bot()[field], before[field], "{field}");
    }

    assert!(shell.all(&measuring).contains("bot-woken"), "every kind of event");
    save(&host, 20_000);
    until_even(&host);
    let [on_host, record, on_file] = <[String; 3]>::try_from(trying).unwrap();
    for tried in [&on_host, &record, &on_file] {
        let said = shell.one(tried);
        let pin = "pin gpt-1 step 20000";
        assert_eq!(said.contains(pin), *tried != record, "with the settings that it has by itself: {said}");
        assert!(!said.contains("pin gpt-1 step 15000"), "{said}");
    }

    let [shadow, decisions, canary] = <[String; 3]>::try_from(trusting).unwrap();
    shell.one(&shadow);
    save(&host, 25_000);
    until_even(&host);
    let said = shell.one(&decisions);
    assert!(said.contains("pin gpt-1 step 25000") && said.contains("a multiple of 5000"), "{said}");
    assert!(!looked(25_000).unwrap().pinned, "nothing is carried out");
    shell.one(&canary);
    assert_eq!(bot()["mode"], json!({ "canary": { "percent": 10 } }));
}

/// The commands of a block, each whole.
fn commands(block: &str) -> Vec<String> {
    block.replace("\\\n", " ").lines().map(str::to_owned).collect()
}

/// Where the reader types.
struct Shell<'a> {
    workshop: &'a Workshop,
    socket: PathBuf,
}

impl Shell<'_> {
    /// A command, which must end well, and what it wrote.
    fn one(&self, command: &str) -> String {
        let binaries = host::binary().unwrap().parent().unwrap().to_owned();
        let known = env::var_os("PATH").unwrap_or_default();
        let path = [binaries].into_iter().chain(env::split_paths(&known));
        let mut shell = Command::new("sh");
        shell.args(["-c", command]).current_dir(&self.workshop.crate_dir).env_remove("CARGO_TARGET_DIR");
        run(shell.env("PATH", env::join_paths(path).unwrap()).env("TIDEGATE_SOCKET", &self.socket))
    }

    /// All of them, and what the last one wrote.
    fn all(&self, commands: &[String]) -> String {
        commands.iter().map(|command| self.one(command)).collect::<Vec<_>>().pop().unwrap()
    }
}

fn ask(host: &TidegateProcess, method: &str, path: &str, body: &str) -> Value {
    let answer = host.send(&Request::new(method, path).json(body)).unwrap();
    assert!((200..300).contains(&answer.status), "{method} {path}: {answer:?}");
    answer.json().unwrap()
}

/// What a trainer does.
fn save(host: &TidegateProcess, step: u64) {
    let begin = json!({ "run": "gpt-1", "step": step, "rank": 0, "world_size": 1 });
    let save: Save = serde_json::from_value(ask(host, "POST", "/v1/saves", &begin.to_string())).unwrap();
    fs::write(Path::new(&save.path).join("weights"), "bytes").unwrap();
    ask(host, "POST", &format!("/v1/saves/{}/commit", save.save_id), "{}");
}

/// Waits until the bot has handled all that there is.
fn until_even(host: &TidegateProcess) {
    let even = || Ok((host.get("/v1/bots/milestones")?["lag"] == 0).then_some(()));
    wait::until("the bot to be done", Duration::from_secs(120), even).unwrap();
}
