//! Where the configuration comes from.

use std::{net::SocketAddr, path::Path};

use figment::{
    Figment,
    providers::{Env, Format, Serialized, Toml},
};
use tidegate_core::{quoted, told};
use tidegate_replica::Limits;
use url::Url;

use super::{Config, bots};
use crate::exit::Failure;

/// Variables of the configuration have two underscores between section and key; others, such as `TIDEGATE_SOCKET`, are
/// not its business.
fn environment() -> Env {
    Env::prefixed("TIDEGATE_").filter(|name| name.as_str().contains("__")).split("__")
}

/// The configuration of `tidegate run`.
pub(crate) fn from_file(path: &Path) -> Result<Config, Failure> {
    if !path.is_file() {
        return Err(Failure::Usage(format!("there is no configuration file {}", path.display())));
    }
    read(Figment::new().merge(Toml::file_exact(path)).merge(environment()))
}

/// The configuration of `tidegate dev`: defaults, variables, then arguments.
pub(crate) fn for_dev(
    dir: &Path,
    listen: Option<SocketAddr>,
    object: Option<&str>,
    plugins: Option<&Path>,
) -> Result<Config, Failure> {
    let dir = std::path::absolute(dir)?;
    let url =
        Url::from_directory_path(dir.join("object")).map_err(|()| anyhow::anyhow!("{} is no path", dir.display()))?;
    let mut figment = Figment::new()
        .merge(Serialized::default("host.name", "dev"))
        .merge(Serialized::default("host.dir", &dir))
        .merge(Serialized::default("api.listen", "127.0.0.1:7070"))
        .merge(Serialized::default("object.url", url.as_str().trim_end_matches('/')))
        .merge(Serialized::default("bots.install", bots::for_dev()))
        .merge(environment());
    if let Some(listen) = listen {
        figment = figment.merge(Serialized::default("api.listen", listen));
    }
    if let Some(object) = object {
        figment = figment.merge(Serialized::default("object.url", object));
    }
    if let Some(plugins) = plugins {
        figment = figment.merge(Serialized::default("bots.plugins", plugins));
    }
    read(figment)
}

fn read(figment: Figment) -> Result<Config, Failure> {
    let mut config: Config = figment.extract().map_err(|error| {
        let lines = error.into_iter().map(|one| told(&one.to_string()));
        Failure::Usage(format!("the configuration is not valid: {}", lines.collect::<Vec<_>>().join("; ")))
    })?;
    let usage = |text: &str| Err(Failure::Usage(text.to_owned()));
    if config.host.dir.to_str().is_none() || config.tier_path().to_str().is_none() {
        return usage("host.dir and tier.path must be UTF-8: clients are told paths below them");
    }
    if !(1..=64).contains(&config.host.workers) {
        return usage("host.workers is 1 to 64");
    }
    if !(1..=2).contains(&config.policy.copies) {
        return usage("policy.copies is 1 or 2: there are two tiers");
    }
    if config.tier.hash_threads.is_some_and(|threads| !(1..=64).contains(&threads)) {
        return usage("tier.hash_threads is 1 to 64");
    }
    if config.tier.save_ttl_seconds.is_some_and(|seconds| !(60..=604_800).contains(&seconds)) {
        return usage("tier.save_ttl_seconds is 60 to 604800: a minute to a week");
    }
    if config.bots.compile_deadline_seconds.is_some_and(|seconds| !(1..=600).contains(&seconds)) {
        return usage("bots.compile_deadline_seconds is 1 to 600");
    }
    if config.bots.compile_memory_bytes.is_some_and(|bytes| !(256 << 20..=64 << 30).contains(&bytes)) {
        return usage("bots.compile_memory_bytes is 268435456 to 68719476736: 256 MiB to 64 GiB");
    }
    let slow = |rate: Option<std::num::NonZeroU64>| rate.is_some_and(|rate| rate.get() < Limits::LEAST_RATE);
    if slow(config.object.upload_rate) || slow(config.object.download_rate) {
        return usage(
            "object.upload_rate and object.download_rate are 16384 or more: servers drop connections that stand still",
        );
    }
    // A bot that is told to stop ends what it is at first, and an operator's change waits for that, half a minute at most.
    if config.bots.deadline_ms.is_some_and(|millis| !(10..=60_000).contains(&millis)) {
        return usage("bots.deadline_ms is 10 to 60000: a hundredth of a second to a minute");
    }
    if config.bots.fuel.is_some_and(|fuel| fuel > 0 && !(1_000_000..=1_000_000_000_000).contains(&fuel)) {
        return usage("bots.fuel is 1000000 to 1000000000000, or 0 where it is not counted");
    }
    if config.bots.memory_bytes.is_some_and(|bytes| !(4 << 20..=1 << 30).contains(&bytes)) {
        return usage("bots.memory_bytes is 4194304 to 1073741824: 4 MiB to 1 GiB");
    }
    for (name, bot) in &config.bots.install {
        if let Some(kind) = bot.triggers.unknown() {
            let kind = quoted(kind);
            return Err(Failure::Usage(format!("bots.install.{name}.triggers.events: there is no kind {kind}")));
        }
        bot.grants
            .check()
            .and_then(|()| Ok(bot.triggers.check()?))
            .map_err(|bad| Failure::Usage(format!("bots.install.{name}.{bad}")))?;
    }
    // Clients work elsewhere: what they are told must not depend on where this process was started.
    config.host.dir = std::path::absolute(&config.host.dir)?;
    for path in [&mut config.tier.path, &mut config.api.socket, &mut config.bots.plugins].into_iter().flatten() {
        *path = std::path::absolute(&*path)?;
    }
    if config.bots.plugins.is_none() {
        config.bots.plugins = std::env::current_exe().ok().and_then(|executable| bots::plugins_near(&executable));
    }
    Ok(config)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example that operators start from.
    fn whole() -> &'static str {
        let readme = include_str!("../../README.md");
        readme.split("```toml\n").nth(1).unwrap().split("```").next().unwrap()
    }

    fn parse(text: &str) -> Result<Config, String> {
        let config = read(Figment::new().merge(Toml::string(text)));
        config.map_err(|failure| match failure {
            Failure::Usage(message) => message,
            other => format!("{other:?}"),
        })
    }

    #[test]
    fn the_readmes_example_is_valid() {
        let config = parse(whole()).unwrap();
        assert_eq!(config.object.options["region"].0, "eu-central-1");
        assert_eq!(config.socket(), Path::new("/run/tidegate/tidegate.sock"));
        assert_eq!(config.bots.install.len(), 2);
        assert_eq!(config.tier.save_ttl_seconds, Some(3600));
        assert_eq!((config.bots.fuel, config.bots.deadline_ms), (Some(200_000_000), Some(1000)));
        assert_eq!(config.bots.memory_bytes, Some(64 << 20));
    }

    #[test]
    fn a_secret_is_never_shown() {
        let with = |value: &str| {
            whole().replace("[object.options]", &format!("[object.options]\nsecret_access_key = {value}"))
        };
        let shown = format!("{:?}", parse(&with("\"hunter2\"")).unwrap());
        assert!(shown.contains("secret_access_key") && !shown.contains("hunter2"), "{shown}");
        assert!(!parse(&with("[\"hunter2\"]")).unwrap_err().contains("hunter2"));
    }

    #[test]
    fn what_is_not_known_or_not_valid_is_refused_by_name() {
        for (from, to, said) in [
            ("hash_threads", "hash_thread", "hash_thread"),
            ("[policy]", "[polcy]", "polcy"),
            ("[tier]", "cluster = \"blue\"\n[tier]", "cluster"),
            ("copies = 2 ", "copies = 3 ", "policy.copies"),
            ("\"node-7\"", "\"../node\"", "host name"),
            ("concurrency = 8", "concurrency = \"many\"", "object.concurrency"),
            ("upload_rate = 125000000", "upload_rate = 16383", "object.upload_rate"),
            ("\nrequests = 1000", "\nrequests = 0", "object.requests"),
            ("checkpoint-sealed", "checkpoint-seeled", "checkpoint-seeled"),
            (
                "grants = { read = [\"*\"], prune",
                "grants = { read = [\"[a]\"], prune",
                "bots.install.prune.grants.read[0]",
            ),
            ("grants = { read = [\"*\"], prune = [\"*\"], tiers = [\"nvme\"] }", "grants = []", "an object of grants"),
            ("reserve_bytes = 10737418240", "reserve_bytes = -1", "reserve_bytes"),
            ("save_ttl_seconds = 3600", "save_ttl_seconds = 59", "tier.save_ttl_seconds"),
            ("save_ttl_seconds = 3600", "save_ttl_seconds = 604801", "tier.save_ttl_seconds"),
            ("compile_deadline_seconds = 60", "compile_deadline_seconds = 0", "bots.compile_deadline_seconds"),
            ("compile_deadline_seconds = 60", "compile_deadline_seconds = 601", "bots.compile_deadline_seconds"),
            ("compile_memory_bytes = 1073741824", "compile_memory_bytes = 268435455", "bots.compile_memory_bytes"),
            ("fuel = 200000000", "fuel = 999999", "bots.fuel"),
            ("deadline_ms = 1000", "deadline_ms = 9", "bots.deadline_ms"),
            ("deadline_ms = 1000", "deadline_ms = 60001", "bots.deadline_ms"),
            ("\nmemory_bytes = 67108864", "\nmemory_bytes = 4194303", "bots.memory_bytes"),
            ("\nmemory_bytes = 67108864", "\nmemory_bytes = 1073741825", "bots.memory_bytes"),
        ] {
            let error = parse(&whole().replace(from, to)).unwrap_err();
            assert!(error.contains(said), "{to}: {error}");
        }
        assert!(parse("").unwrap_err().contains("host"));
    }

    #[test]
    fn dev_needs_nothing_to_be_said() {
        let config = for_dev(Path::new("some-dir"), None, None, None).unwrap();
        assert!(config.host.dir.is_absolute() && config.socket().ends_with("some-dir/tidegate.sock"));
        assert!(config.object.url.starts_with("file:///") && config.object.url.ends_with("some-dir/object"));
        let bots: Vec<&str> = config.bots.install.keys().map(|name| name.as_str()).collect();
        assert_eq!(bots, ["prune", "replicate"]);
    }
}
