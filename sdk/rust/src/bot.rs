//! What a bot is, and how its functions become a component's exports.

use std::time::Duration;

use crate::{Configurable, Error, Event};

/// A policy. It has no `self`: every event meets a fresh instance, and what must be remembered goes into
/// [`state`](crate::state).
///
/// ```
/// use tidegate_sdk::{prelude::*, testing::{Cluster, NoSettings, checkpoint, complete, json}};
///
/// /// Holds every checkpoint.
/// struct Hoarder;
///
/// impl Bot for Hoarder {
///     type Settings = NoSettings;
///
///     fn handle(event: &Event, _: &NoSettings) -> Result<(), Error> {
///         if let Occurrence::CheckpointComplete(it) = &event.what {
///             checkpoints::pin(&it.run, it.step, "all of them")?;
///         }
///         Ok(())
///     }
/// }
///
/// let cluster = Cluster::new();
/// cluster.put(checkpoint("gpt", 100));
/// assert_eq!(cluster.handle::<Hoarder>(complete("gpt", 100), json!({})).unwrap().len(), 1);
/// ```
pub trait Bot {
    /// What the operator may set, read from JSON: a type under [`#[settings]`](macro@crate::settings).
    type Settings: Configurable;

    /// Checks settings beyond their types, when the bot is installed or changed. Nothing can be asked here.
    ///
    /// # Errors
    /// What is wrong with them, for the operator; the bot is then not installed.
    fn configure(settings: &Self::Settings) -> Result<(), String> {
        let _ = settings;
        Ok(())
    }

    /// Decides about one event. `Ok` commits the effects and state that were asked for, all at once.
    ///
    /// # Errors
    /// Commits nothing; the event comes again later, and after some failures the bot is stopped for the operator to
    /// look at. So an error is for what must not happen: what may pass is better logged and tried at a later event.
    fn handle(event: &Event, settings: &Self::Settings) -> Result<(), Error>;

    /// Brings the [`state`](crate::state) of another version of this bot, older or newer, into this one's form, once, when
    /// this version takes over. `from_version` is the other's version in its `Cargo.toml`; empty if it had none. Only
    /// `state` and `log` can be used here. By default the state stays as it is.
    ///
    /// # Errors
    /// Why it can't be done: the other version then stays at work, and its state as it was.
    fn migrate(from_version: &str, settings: &Self::Settings) -> Result<(), Error> {
        let _ = (from_version, settings);
        Ok(())
    }
}

/// A time some while after another, in nanoseconds since 1970; stops at the end of the range.
///
/// ```
/// use std::time::Duration;
/// use tidegate_sdk::after;
/// assert_eq!(after(1_000, Duration::from_micros(2)), 3_000);
/// assert_eq!(after(u64::MAX, Duration::from_secs(1)), u64::MAX);
/// ```
pub fn after(time: u64, wait: Duration) -> u64 {
    time.saturating_add(u64::try_from(wait.as_nanos()).unwrap_or(u64::MAX))
}

/// Makes a component of a [`Bot`]: once, in the crate of type `cdylib`.
///
/// On other targets than `wasm32` there is nothing to export, so that the crate's tests run natively; to them it adds
/// `tidegate_settings_schema`, which does nothing unless a build asks it for the [schema](crate::settings_schema).
///
/// ```
/// use tidegate_sdk::{prelude::*, testing::NoSettings};
///
/// struct Idle;
///
/// impl Bot for Idle {
///     type Settings = NoSettings;
///
///     fn handle(_: &Event, _: &NoSettings) -> Result<(), Error> {
///         Ok(())
///     }
/// }
///
/// tidegate_sdk::export!(Idle);
/// ```
#[macro_export]
macro_rules! export {
    ($bot:ty) => {
        #[cfg(target_arch = "wasm32")]
        const _: () = {
            struct Exported;
            impl $crate::bindings::Guest for Exported {
                fn configure(settings: String) -> Result<(), String> {
                    $crate::glue::configure::<$bot>(&settings)
                }
                fn handle(event: $crate::Event, settings: String) -> Result<(), String> {
                    $crate::glue::handle::<$bot>(&event, &settings)
                }
                fn migrate(from_version: String, settings: String) -> Result<(), String> {
                    $crate::glue::migrate::<$bot>(&from_version, &settings)
                }
            }
    $crate::bindings::__export_policy!(Exported with_types_in $crate::bindings);
        };

        #[cfg(all(test, not(target_arch = "wasm32")))]
        #[test]
        fn tidegate_settings_schema() -> ::core::result::Result<(), ::std::string::String> {
            $crate::__private::write_schema::<$bot>()
        }
    };
}

/// What [`export!`] calls.
pub mod glue {
    use super::{Bot, Event};

    /// The export `configure`.
    ///
    /// # Errors
    /// Settings of the wrong form, or the bot's own words.
    pub fn configure<B: Bot>(settings: &str) -> Result<(), String> {
        B::configure(&read::<B>(settings)?)
    }

    /// The export `handle`.
    ///
    /// # Errors
    /// The bot's own words.
    pub fn handle<B: Bot>(event: &Event, settings: &str) -> Result<(), String> {
        #[cfg(target_arch = "wasm32")]
        std::panic::set_hook(Box::new(|panic| crate::log::error(panic.to_string().replace('\n', " "))));
        B::handle(event, &read::<B>(settings)?).map_err(|error| error.to_string())
    }

    /// The export `migrate`.
    ///
    /// # Errors
    /// The bot's own words.
    pub fn migrate<B: Bot>(from_version: &str, settings: &str) -> Result<(), String> {
        B::migrate(from_version, &read::<B>(settings)?).map_err(|error| error.to_string())
    }

    /// No settings at all stand for `{}`.
    fn read<B: Bot>(settings: &str) -> Result<B::Settings, String> {
        let given = settings.trim();
        let text = if given.is_empty() || given == "null" { "{}" } else { given };
        // serde would read a struct from a list, too.
        if !text.starts_with('{') {
            return Err("settings: a JSON object is expected, such as {}".into());
        }
        serde_json::from_str(text).map_err(|error| format!("settings: {error}"))
    }
}
