//! Components that are none, or not for this host.

use std::fs;

use tidegate_tests_support::guest;

use super::site::{Site, check, names_in};

#[test]
fn what_is_no_component_of_this_world_is_not_kept() {
    let site = Site::start();
    let kept = names_in(&site.host.dir().join("plugins"));
    let text = |text: &str| wat::parse_str(text).unwrap();
    let whole = guest::component("", "").unwrap();
    let version = other_world(&site, "@0.2.0", "@0.9.0", "");
    let shell = other_world(
        &site,
        "  import log;\n",
        "  import log;\n  import shell: interface { run: func(); }\n",
        r#"(import "shell" "run" (func))"#,
    );
    let large =
        guest::component_for(&guest::wit(), &guest::module("", "").replace("\"memory\") 16)", "\"memory\") 65536)"));
    for (what, bytes) in [
        ("nothing", Vec::new()),
        ("a script", b"#!/bin/sh\nrm -rf /\n".to_vec()),
        ("text", b"(component)".to_vec()),
        ("an ELF file", fs::read("/proc/self/exe").unwrap()[..100_000].to_vec()),
        ("a core module", text("(module)")),
        ("an empty component", text("(component)")),
        ("one that wants WASI", text(r#"(component (import "wasi:cli/environment@0.2.0" (instance)))"#)),
        ("one that is cut", whole[..whole.len() / 2].to_vec()),
        ("one of another version", version),
        ("one that wants more than the world has", shell),
        ("one of 4 GiB of memory", large.unwrap()),
    ] {
        let problem = check(&site.upload(&bytes), "TG0021", what);
        assert_eq!(problem.status, 400, "{what}");
        println!("{what}: {}", problem.detail);
    }
    let response = site.send("POST", "/v1/plugins", &whole, Some("text/html"));
    check(&response, "TG0002", "a page of HTML");
    assert_eq!(names_in(&site.host.dir().join("plugins")), kept, "nothing was kept");
    site.still_works();
}

/// A component for a copy of the contract in which one text is replaced by another.
fn other_world(site: &Site, from: &str, to: &str, top: &str) -> Vec<u8> {
    let folder = site.outside().join(format!("wit-{}", to.len()));
    fs::create_dir_all(&folder).unwrap();
    for entry in fs::read_dir(guest::wit()).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "wit") {
            let text = fs::read_to_string(&path).unwrap().replace(from, to);
            fs::write(folder.join(path.file_name().unwrap()), text).unwrap();
        }
    }
    guest::component_for(&folder, &guest::module(top, "")).unwrap()
}
