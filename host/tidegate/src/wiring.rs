//! The one place where the parts are put together: configuration in, a running engine out.

use std::{path::PathBuf, sync::Arc, time::Duration};

use anyhow::{Context, Result, anyhow};
use tidegate_core::{Clock, SystemClock};
use tidegate_engine::{Host, Options};
use tidegate_replica::{Target, Verify};
use tidegate_sandbox::{CacheOptions, Compiler, Sandbox};
use tidegate_store::Store;

use crate::{
    command::compile_worker,
    config::{Config, ObjectSection},
};

/// Opens the tier, the object target and the sandbox, and starts the loop over them.
pub(crate) async fn start(config: &Config) -> Result<Host> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::default());
    let mut options = tidegate_store::Options::new(config.tier_path(), config.host.name.clone());
    options.reserve_bytes = config.tier.reserve_bytes.unwrap_or(options.reserve_bytes);
    options.hash_threads = config.tier.hash_threads.unwrap_or(options.hash_threads);
    options.save_ttl = config.tier.save_ttl_seconds.map_or(options.save_ttl, Duration::from_secs);
    options.wanted_copies = config.policy.copies;
    let at = clock.clone();
    let opened = tokio::task::spawn_blocking(move || Store::open(options, at)).await?;
    let (store, recovered) = opened.context("the NVMe tier could not be opened")?;
    tracing::info!(?recovered, "the tier is open");
    let target = target(&config.object).context("the object target can't be used")?;
    let sandbox = match Sandbox::new(sandbox(config)) {
        // Only a cache: bots are compiled at each start then, and nothing else waits for it to be mended.
        Err(error @ tidegate_sandbox::Error::Cache(..)) => {
            tracing::warn!(%error, "compiled components are not kept; remove what stands in the way, and restart");
            Sandbox::new(tidegate_sandbox::Options { cache: None, ..sandbox(config) })
        }
        made => made,
    };
    let sandbox = sandbox.context("the sandbox could not be made")?;
    let options = Options {
        name: config.host.name.clone(),
        plugins: config.plugins_path(),
        wanted_copies: config.policy.copies,
        private: private(config),
        uploads: 2,
        drain: Duration::from_secs(20),
    };
    Ok(Host::start(options, clock, Arc::new(store), Arc::new(target), sandbox).await?)
}

/// Directories in which no restore lands: they would be swept, or seen as something else.
fn private(config: &Config) -> Vec<PathBuf> {
    let files = url::Url::parse(&config.object.url).ok().and_then(|url| url.to_file_path().ok());
    [config.tier_path(), config.plugins_path(), config.compiled_path()].into_iter().chain(files).collect()
}

/// Bots are compiled in a process of their own, and once.
fn sandbox(config: &Config) -> tidegate_sandbox::Options {
    let mut worker = compile_worker::worker();
    worker.deadline = config.bots.compile_deadline_seconds.map_or(worker.deadline, Duration::from_secs);
    worker.memory_bytes = config.bots.compile_memory_bytes.unwrap_or(worker.memory_bytes);
    let mut options = tidegate_sandbox::Options::default();
    (options.compiler, options.cache) = (Compiler::Worker(worker), Some(CacheOptions::new(config.compiled_path())));
    options.memory_bytes = config.bots.memory_bytes.unwrap_or(options.memory_bytes);
    options.deadline = config.bots.deadline_ms.map_or(options.deadline, Duration::from_millis);
    options.fuel = config.bots.fuel.map_or(options.fuel, |fuel| (fuel > 0).then_some(fuel));
    options
}

fn target(section: &ObjectSection) -> Result<Target> {
    let mut options = tidegate_replica::Options::default();
    options.concurrency = section.concurrency.unwrap_or(options.concurrency);
    options.part_bytes = section.part_bytes.unwrap_or(options.part_bytes);
    options.upload_rate = section.upload_rate;
    options.download_rate = section.download_rate;
    options.requests = section.requests;
    if let Some(verify) = &section.verify {
        options.verify = verify.parse::<Verify>().map_err(|error| anyhow!("object.verify: {error}"))?;
    }
    options.store = section.options.iter().map(|(name, value)| (name.clone(), value.0.clone())).collect();
    Ok(Target::open(section.name.clone(), &section.url, options)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(change: impl FnOnce(&mut crate::config::BotsSection)) -> tidegate_sandbox::Options {
        let mut config = crate::config::for_dev(std::path::Path::new("some-dir"), None, None, None).unwrap();
        change(&mut config.bots);
        sandbox(&config)
    }

    #[test]
    fn what_a_bot_may_use_is_the_operators_to_say() {
        let (defaults, unsaid) = (tidegate_sandbox::Options::default(), options(|_| {}));
        let bounds = |it: &tidegate_sandbox::Options| (it.fuel, it.deadline, it.memory_bytes);
        assert_eq!(bounds(&unsaid), bounds(&defaults));
        let said = options(|bots| (bots.deadline_ms, bots.memory_bytes) = (Some(5000), Some(8 << 20)));
        assert_eq!(bounds(&said), (defaults.fuel, Duration::from_secs(5), 8 << 20));
        assert_eq!(options(|bots| bots.fuel = Some(9_000_000)).fuel, Some(9_000_000));
        assert_eq!(options(|bots| bots.fuel = Some(0)).fuel, None);
    }
}
