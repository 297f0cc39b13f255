//! Tricks with names: none is ever a path.

use serde_json::{Value, json};

use super::site::Site;

/// Names that would be somebody else's path, or nobody's.
fn tricks() -> Vec<String> {
    let mut tricks: Vec<String> = [
        "",
        ".",
        "..",
        "../..",
        "../../../../etc",
        "a/b",
        "/etc/passwd",
        "a\\b",
        "a\0b",
        "a\nb",
        "a\u{1b}[2J",
        "\u{202e}gpt",
        " gpt",
        "gpt ",
        "-rf",
        ".hidden",
        "größe",
        "g\u{200b}pt",
        "%2e%2e",
        "$(reboot)",
        "gpt;rm",
        "*",
    ]
    .map(str::to_owned)
    .into();
    tricks.push("n".repeat(129));
    tricks.push("n".repeat(300));
    tricks.push("n".repeat(100_000));
    tricks
}

fn encoded(name: &str) -> String {
    name.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

#[test]
fn a_run_name_is_never_a_path() {
    let site = Site::start();
    for name in tricks() {
        let begin = json!({ "run": name, "step": 1, "rank": 0, "world_size": 1 });
        site.refused("TG0003", "POST", "/v1/saves", &begin);
        site.refused("TG0003", "POST", "/v1/restores", &json!({ "run": name, "step": "latest" }));
        // A path that is empty here is another route, and one of 300 kB no path.
        if (1..=300).contains(&name.len()) {
            site.refused("TG0003", "GET", &format!("/v1/runs/{}", encoded(&name)), &Value::Null);
            site.refused("TG0003", "GET", &format!("/v1/runs/{}/checkpoints/latest", encoded(&name)), &Value::Null);
        }
    }
    // The longest one is taken.
    let longest = "n".repeat(128);
    assert!(site.checkpoint(&longest, 1).complete);
    assert_eq!(site.runs(), [longest]);
    site.still_works();
}

#[test]
fn no_other_name_is_a_path_either() {
    let site = Site::start();
    for name in tricks().iter().filter(|name| (1..=300).contains(&name.len())) {
        let name = encoded(name);
        site.refused("TG0003", "PUT", &format!("/v1/bots/{name}"), &json!({ "plugin": "0".repeat(64) }));
        site.refused("TG0003", "GET", &format!("/v1/bots/{name}"), &Value::Null);
        site.refused("TG0003", "DELETE", &format!("/v1/saves/{name}"), &Value::Null);
        site.refused("TG0003", "POST", &format!("/v1/saves/{name}/commit"), &json!({}));
        site.refused("TG0018", "DELETE", &format!("/v1/restores/{name}"), &Value::Null);
    }
    for plugin in ["", "..", "../../../etc/passwd", "0", &"g".repeat(64), &"0".repeat(65)] {
        site.refused("TG0002", "PUT", "/v1/bots/bot", &json!({ "plugin": plugin }));
    }
    assert_eq!(site.events().iter().filter(|event| event.kind == "bot-started").count(), 2, "the first-party two");
    site.still_works();
}

#[test]
fn a_restore_goes_into_a_new_directory_of_the_asking_process_or_nowhere() {
    let site = Site::start();
    site.checkpoint("gpt", 1);
    let outside = site.outside();
    let there = outside.join("there");
    std::fs::create_dir(&there).unwrap();
    std::os::unix::fs::symlink("/nonexistent", outside.join("dangling")).unwrap();
    let path = |name: &str| format!("{}/{name}", outside.display());
    for (code, into) in [
        ("TG0002", "relative/dir".to_owned()),
        ("TG0002", String::new()),
        ("TG0002", "/".to_owned()),
        ("TG0002", path("../escape")),
        ("TG0002", path("missing/dir")),
        ("TG0016", path("there")),
        ("TG0016", path("dangling")),
        ("TG0016", site.tier().display().to_string()),
    ] {
        site.refused(code, "POST", "/v1/restores", &json!({ "run": "gpt", "step": 1, "into": into }));
    }
    assert_eq!(super::site::names_in(&outside).len(), 2);
    assert!(super::site::names_in(&there).is_empty());
    site.still_works();
}
