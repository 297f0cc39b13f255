//! What must be right of a version before anything of it runs.

use tidegate_core::{Code, EventKind, Grants, Want, limits, quoted};
use tidegate_sandbox::About;

use super::BotSpec;
use crate::{Error, Host, Result};

/// Names at most in a list of those that there are not.
const SHOWN: usize = 8;

impl Host {
    /// What can be said of a specification without its component: patterns that are none, numbers beyond what can be granted, and what this host does not have.
    ///
    /// # Errors
    /// [`Code::BadRequest`] names the field.
    pub(super) fn check_spec(&self, spec: &BotSpec) -> Result<()> {
        let refuse = |detail: String| Err(Error::new(Code::BadRequest, detail));
        if let Some(kind) = spec.triggers.unknown() {
            let known = EventKind::TRIGGERS.join(", ");
            return refuse(format!("field `triggers.events`: there is no {}; there are {known}", quoted(kind)));
        }
        if let Err(bad) = spec.grants.check() {
            return refuse(format!("field {bad}"));
        }
        if let Err(bad) = spec.triggers.check() {
            return refuse(format!("field {bad}"));
        }
        let there = self.0.target.name();
        let missing: Vec<_> = spec.grants.targets.iter().filter(|target| *target != there).take(SHOWN).collect();
        if !missing.is_empty() {
            let missing: Vec<String> = missing.into_iter().map(|target| format!("`{target}`")).collect();
            let missing = missing.join(", ");
            return refuse(format!("field `grants.targets`: this host has no target {missing}; it has `{there}`"));
        }
        Ok(())
    }
}

/// Events on probation.
///
/// # Errors
/// [`Code::BadRequest`] for more than [`limits::PROBATION`].
pub(super) fn check_probation(events: u64) -> Result<()> {
    if events <= limits::PROBATION {
        return Ok(());
    }
    let detail = format!("field `probation`: {events} events; give 0 to {}", limits::PROBATION);
    Err(Error::new(Code::BadRequest, detail))
}

/// Whether a plugin is granted all that it can't do without: by its own manifest, or if it has none, all that it imports.
///
/// # Errors
/// [`Code::NotGranted`] with the difference.
pub(super) fn check_granted(about: &About, grants: &Grants) -> Result<()> {
    let refuse = |detail: String| Err(Error::new(Code::NotGranted, detail));
    if about.used.contains(&Want::Wasi) && !grants.wasi {
        return refuse(
            "it imports WASI, and `wasi` is not granted: grant it if you trust its language's runtime in a room without \
             files, network and environment"
                .into(),
        );
    }
    let Some(manifest) = &about.manifest else {
        let missing: Vec<String> =
            about.used.iter().filter(|want| !grants.give(**want)).map(|want| format!("`{want}`")).collect();
        if missing.is_empty() {
            return Ok(());
        }
        let rule = "a component without a manifest must be granted all that it imports";
        return refuse(format!("it imports {}, which is not granted: {rule}", missing.join(", ")));
    };
    let missing = manifest.ungranted(grants);
    if missing.is_empty() {
        return Ok(());
    }
    let missing: Vec<String> = missing.iter().map(ToString::to_string).collect();
    refuse(format!("{} {} is not granted {}", manifest.name, manifest.version, missing.join(", ")))
}
